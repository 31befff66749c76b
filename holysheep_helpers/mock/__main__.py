"""``python -m holysheep_helpers.mock``: the mock as a process; its first line is its address."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

from holysheep_helpers import catalog
from holysheep_helpers.addresses import is_loopback
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.server import base_url, listen, run
from holysheep_helpers.mock.state import State


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    if not is_loopback(options.host) and options.keys is None:
        print(
            f"On {options.host}, which others can reach, the mock needs --keys FILE (one key a "
            "line), so that only those may use it.",
            file=sys.stderr,
        )
        return 2
    keys = None
    if options.keys is not None:
        try:
            keys = frozenset(options.keys.read_text(encoding="utf-8").split())
        except OSError as error:
            print(f"The keys can't be read from {options.keys}: {error.strerror}.", file=sys.stderr)
            return 2
    try:
        sock = listen(options.host, options.port)
    except OSError as error:
        print(
            f"Can't listen on {options.host} port {options.port}: {error.strerror}. Is it taken? "
            "Choose another, or --port 0 for any that is free.",
            file=sys.stderr,
        )
        return 1
    plan = catalog.plans()[options.plan]
    state = State(seed=options.seed, time_scale=options.time_scale, plan=plan, keys=keys)
    if options.parent is not None:
        _end_with(options.parent)
    print(base_url(sock), flush=True)
    # The server obeys SIGTERM, then raises it again for whoever had it before: a clean end here.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with contextlib.suppress(KeyboardInterrupt):
        run(App(state), sock)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m holysheep_helpers.mock", description="The offline HolySheep gateway."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--seed", type=int, default=0, help="another seed, other replies and times")
    parser.add_argument("--time-scale", type=_scale, default=1.0, help="0.05 is 20 times faster")
    parser.add_argument("--plan", choices=list(catalog.plans()), default="unlimited")
    parser.add_argument("--keys", type=Path, help="a file of the keys to accept, one a line")
    parser.add_argument("--parent", type=int, help="end when this process ends, or at end of input")
    return parser


def _scale(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1000")
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
