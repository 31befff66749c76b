"""start.py and Ctrl-C: the command that it runs is never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import start

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(os.name == "nt", reason="Windows can't send one process these signals"),
]
# A shell starts what it runs in the background with SIGINT ignored, and children inherit that.
IGNORED = """\
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
HARNESS = """\
import signal, sys, start
if {foreground}:
    signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(start.run([sys.executable, "-c", sys.argv[1]]))
"""
CHILD = "import sys; print('ready', flush=True); sys.stdin.read(); sys.exit(3)"
INTERRUPTED = """\
import os, signal
waitpid = os.waitpid
def interrupted(*arguments):
    found = waitpid(*arguments)
    signal.raise_signal(signal.SIGINT)
    return found
os.waitpid = interrupted
"""
TERMINATED = """\
import signal, subprocess
begin = subprocess.Popen.__init__
def terminated(*arguments, **options):
    begin(*arguments, **options)
    signal.raise_signal(signal.SIGTERM)
subprocess.Popen.__init__ = terminated
"""


@contextmanager
def running(foreground: bool = True, first: str = "") -> Iterator[subprocess.Popen[str]]:
    """A Python that waits in ``start.run`` for a command, and has run ``first`` before.

    Whatever this test was started with, it inherits an ignored SIGINT; in the foreground it has
    Python's own handler.
    """
    with subprocess.Popen(
        [sys.executable, "-c", IGNORED, first + HARNESS.format(foreground=foreground), CHILD],
        cwd=start.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


def test_after_a_ctrl_c_the_command_ends_by_itself_and_then_so_do_we() -> None:
    with running() as process:
        process.send_signal(signal.SIGINT)
        process.communicate("", timeout=60)  # what the command waits for
        assert process.returncode == -signal.SIGINT


def test_sigterm_is_handed_on() -> None:
    with running() as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 256 - signal.SIGTERM


def test_a_sigterm_in_the_moment_of_the_commands_start_is_handed_on() -> None:
    command = [sys.executable, "-c", TERMINATED + HARNESS.format(foreground=True), CHILD]
    with subprocess.Popen(
        command, cwd=start.ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        assert process.wait(60) == 256 - signal.SIGTERM


def test_a_ctrl_c_in_the_moment_of_the_commands_end_loses_no_exit_code() -> None:
    """On a busy computer both can be there when the waiting process goes on."""
    with running(first=INTERRUPTED) as process:
        process.communicate("", timeout=60)
        assert process.returncode == -signal.SIGINT


def test_in_the_background_a_ctrl_c_for_others_is_ignored() -> None:
    with running(foreground=False) as process:
        process.send_signal(signal.SIGINT)
        process.communicate("", timeout=60)
        assert process.returncode == 3
