"""start.py and Ctrl-C: the command that it runs is never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

import start

HARNESS = """\
import signal, sys, start
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(start.run([sys.executable, "-c", sys.argv[1]]))
"""


CHILD = "import sys; print('ready', flush=True); sys.stdin.read(); sys.exit(3)"


@pytest.mark.skipif(os.name == "nt", reason="Windows can't send one process these signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda one: one.name)
def test_a_signal_ends_the_command_or_is_waited_out(number: signal.Signals) -> None:
    """SIGTERM is handed on; after a Ctrl-C the command ends by itself, and then so do we."""
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS, CHILD],
        cwd=start.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        if number == signal.SIGINT:
            process.communicate("", timeout=60)  # what the command waits for
            assert process.returncode == -signal.SIGINT
        else:
            assert process.wait(60) == 256 - signal.SIGTERM
