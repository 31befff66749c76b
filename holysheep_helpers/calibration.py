"""How far a measurement on this machine is off, as told by a server that knows the truth."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The error of this machine's measurements at one ``concurrency``, in seconds.

    With ``stagger`` the first starts were spread out; without, all began at once.

    Measured times to first token are ``bias_s`` too long on average; what is left after taking that
    off is within ``error_s`` for the mean of a measurement, with 95% confidence. The same of
    inter-token latency: ``itl_bias_s``, ``itl_error_s``. ``streams`` were compared with the mock's
    journal.
    """

    concurrency: int
    stagger: bool = True
    streams: int
    bias_s: float
    error_s: float
    itl_bias_s: float
    itl_error_s: float

    def __str__(self) -> str:
        return (
            f"At {self.concurrency} at once{'' if self.stagger else ', not staggered'}, on this "
            "machine: time to first token "
            f"± {self.error_s * 1000:.2f} ms after taking off {self.bias_s * 1000:.2f} ms, "
            f"inter-token latency ± {self.itl_error_s * 1000:.3f} ms "
            f"({self.streams} streams against the mock's journal)."
        )

    __repr__ = __str__


_known: dict[tuple[int, bool], Calibration] = {}


def remember(calibration: Calibration) -> None:
    """From now on, what is measured in this process carries it."""
    _known[calibration.concurrency, calibration.stagger] = calibration


def known_calibration(concurrency: int, stagger: bool = True) -> Calibration | None:
    """The last calibration under just this load: under another one the error is another."""
    return _known.get((concurrency, stagger))
