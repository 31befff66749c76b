"""``python -m holysheep_helpers.mock``: the mock as a process; its first line is its address."""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import secrets
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback
from holysheep_helpers.mock import ADMIN_VARIABLE, MOCK_PREFIX, OWN_KEY_VARIABLE, slots
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.server import Server, base_url, listen
from holysheep_helpers.mock.state import State
from holysheep_helpers.mock.stated import MOST_S, Stated


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        if options.issue is not None:
            return issue(options.issue, options.keys)
        return _serve(options)
    except _CannotError as problem:
        # A parent reads the first line, and finds there why no address came.
        print(problem, file=sys.stderr if options.parent is None else sys.stdout)
        return problem.code


class _CannotError(Exception):
    """What can't be done, and what to do about it; ``code`` is the exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code


def _serve(options: argparse.Namespace) -> int:
    if not is_loopback(options.host) and options.keys is None:
        raise _CannotError(
            f"On {options.host}, which others can reach, the mock needs --keys FILE (one key a "
            "line), so that only those may use it. --issue 30 --keys FILE writes such a file."
        )
    keys = None if options.keys is None else read_keys(options.keys)
    try:
        sock = listen(options.host, options.port)
    except OSError as error:
        raise _CannotError(
            f"Can't listen on {options.host} port {options.port}: {error.strerror}. Is it taken? "
            "Choose another, or --port 0 for any that is free.",
            1,
        ) from None
    with contextlib.ExitStack() as stack:
        journal = None
        if options.journal is not None:
            try:
                path = options.journal
                journal = open(path, "a", encoding="utf-8", opener=_private)  # noqa: SIM115 (below)
                stack.enter_context(_closing(journal))
            except OSError as error:
                reason = f"{options.journal}: {error.strerror}"
                raise _CannotError(f"The journal can't be written to {reason}.") from None
        state = State(
            seed=options.seed,
            time_scale=options.time_scale,
            stated=Stated(options.ttft_s, options.itl_s),
            slots=options.slots,
            plan=catalog.plans()[options.plan],
            keys=keys,
            admin_token=os.environ.get(ADMIN_VARIABLE) or None,
            own_key=os.environ.get(OWN_KEY_VARIABLE) or None,
            names=options.names,
            journal_file=journal,
        )
        server = Server(App(state))
        for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last one is Windows'
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), server.stop)
        if options.parent is not None:
            _end_with(options.parent)
        gc.freeze()  # what was imported stays; a request leaves no cycles, so look for some rarely
        gc.set_threshold(100_000, 50, 100)
        print(base_url(sock), flush=True)
        if options.keys is not None:
            _tell_the_room(base_url(sock), options.keys)
        server.run(sock)
    return 0


def _tell_the_room(url: str, keys: Path) -> None:
    print(
        "Each person sets these, as variables or as two lines of a file .env beside start.py:\n"
        f"  HOLYSHEEP_BASE_URL={url}\n"
        f"  HOLYSHEEP_API_KEY=... (a key of their own, of {keys})\n"
        "Ctrl-C ends the mock.",
        file=sys.stderr,
        flush=True,
    )


def _private(path: str, flags: int) -> int:
    """Open a file that, if it is new, only its owner may read: there are keys or prompts in it."""
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def _closing(file: IO[str]) -> Iterator[None]:
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # that the disk is full was said when it was found
            file.close()


def read_keys(file: Path) -> frozenset[str]:
    """The keys in a file: the first word of each line that does not begin with ``#``."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise _CannotError(f"The keys can't be read from {file}: {reason}.") from None
    keys = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    if not keys:
        raise _CannotError(f"There is no key in {file}. --issue 30 --keys FILE writes some.")
    if strange := [number for number, key in enumerate(sorted(keys), 1) if not _good(key)]:
        raise _CannotError(
            f"{len(strange)} of the keys in {file} can't be a mock's: each begins with "
            f"{MOCK_PREFIX} and is plain letters, digits and dashes."
        )
    return frozenset(keys)


def _good(key: str) -> bool:
    return key.startswith(MOCK_PREFIX) and key.isascii() and key.replace("-", "").isalnum()


def issue(count: int, file: Path | None) -> int:
    """Write a sheet of new keys, numbered, to a new file or to the terminal."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another
    keys = [
        f"{MOCK_PREFIX}{number:02d}-{''.join(secrets.choice(letters) for _ in range(10))}"
        for number in range(1, count + 1)
    ]
    sheet = "# One key a line, each for one person of the room.\n" + "\n".join(keys) + "\n"
    if file is None:
        print(sheet, end="")
        return 0
    try:
        with open(file, "x", encoding="utf-8", newline="\n", opener=_private) as new:
            new.write(sheet)
    except FileExistsError:
        raise _CannotError(f"{file} is there already, and was left as it is.", 1) from None
    except OSError as error:
        raise _CannotError(f"{file} can't be written: {error.strerror}.", 1) from None
    print(
        f"{count} keys are in {file}. Serve the room with:\n"
        f"  python -m holysheep_helpers.mock --host 0.0.0.0 --port 8765 --keys {file}"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m holysheep_helpers.mock", description="The offline HolySheep gateway."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_port, default=0, help="0 takes any free one")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other replies and times")
    parser.add_argument("--time-scale", type=_scale, default=1.0, help="0.05 is 20 times faster")
    parser.add_argument(
        "--ttft-ms",
        dest="ttft_s",
        type=_stated,
        metavar="MS",
        help="every model's time to first token: exactly this, at any time scale",
    )
    parser.add_argument(
        "--itl-ms",
        dest="itl_s",
        type=_stated,
        metavar="MS",
        help="every model's time between tokens, too",
    )
    parser.add_argument(
        "--slots",
        type=_slot_count,
        metavar="N",
        help="work on so many requests of a key at once, the others wait",
    )
    played = [name for name, plan in catalog.plans().items() if plan.can_be_played]
    parser.add_argument("--plan", choices=played, default="unlimited")
    parser.add_argument("--keys", type=Path, help="a file of the keys to accept, one a line")
    parser.add_argument(
        "--name",
        dest="names",
        metavar="NAME",
        action="append",
        default=[],
        help="a name of this computer in the network, by which /mock/ is asked; may be repeated",
    )
    parser.add_argument("--journal", type=Path, help="append each request to this file, as JSON")
    parser.add_argument(
        "--issue", type=_count, metavar="N", help="write N new keys (to --keys FILE), then end"
    )
    parser.add_argument("--parent", type=int, help="end when this process ends, or at end of input")
    return parser


def _port(text: str) -> int:
    return _between(text, int, 0, 65535)


def _count(text: str) -> int:
    return _between(text, int, 1, 1000)


def _slot_count(text: str) -> int:
    return _between(text, int, 1, slots.MOST)


def _scale(text: str) -> float:
    return _between(text, float, 0, 1000)


def _stated(text: str) -> float:
    """Seconds, of milliseconds."""
    return _between(text, float, 0, MOST_S * 1000) / 1000


def _between(text: str, kind: type, low: int, high: int) -> Any:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text} is not a number from {low} to {high}")
    return value


def _end_with(parent: int) -> None:
    """End this process with its parent, even when that is killed hard."""

    def at_end_of_input() -> None:
        while sys.stdin.buffer.read(1):
            pass
        os._exit(0)

    def at_new_parent() -> None:  # for a forked child of the parent that holds the pipe open
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(0.25)
        os._exit(0)

    threading.Thread(target=at_end_of_input, daemon=True).start()
    if os.name == "posix":
        threading.Thread(target=at_new_parent, daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
