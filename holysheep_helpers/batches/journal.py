"""The journal of a batch: what was asked and what came, so that a crash costs next to nothing.

One line of JSON each: ``ask`` before a request is sent, ``fail`` after one that certainly was not
paid for, ``answer`` with the reply. Prompts are kept as hashes; no key is ever in it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from holysheep_helpers.exceptions import InputError, JournalError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


HEADER = b'{"journal": "holysheep batch", "version": 1}\n'


FLUSH_EVERY_S = 1.0


_FAR = 1 << 40  # where Windows locks a byte, so that all others stay readable


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Journal:
    """A file that is added to, held by one process at a time, and read again after a crash.

    Each line is handed to the operating system before the call returns, so that it survives the
    end of this process, ``kill -9`` included. The disk's own flush (``fsync``) happens in a thread,
    once a second: a power cut or a crash of the whole machine can lose the last second's lines,
    and what they would have recorded is then asked again, without being counted.

    Raises ``JournalError`` if the file is something else (it is left as it is), or if another
    process holds it; ``InputError`` for a path that can't be one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _checked(path)
        self._answers: dict[str, list[int]] = {}
        self._open_asks: Counter[str] = Counter()
        self._dirty, self._closing = threading.Event(), threading.Event()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._fd = os.open(self.path, flags, 0o600)  # answers are the owner's business
        except OSError as error:
            raise JournalError(f"The journal {self.path} can't be opened: {error}.") from error
        try:
            self._lock()
            self._load()
        except BaseException:
            os.close(self._fd)
            raise
        self._flusher = threading.Thread(target=self._flush, daemon=True)
        self._flusher.start()

    def _lock(self) -> None:
        try:
            if sys.platform == "win32":
                os.lseek(self._fd, _FAR, os.SEEK_SET)
                msvcrt.locking(self._fd, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise JournalError(
                f"The journal {self.path} is in use by another batch. Wait for its end, or give "
                "this one a journal of its own: two on one file would pay twice."
            ) from None

    def _load(self) -> None:
        with self.path.open("rb") as file:
            first = file.readline()
            if not HEADER.startswith(first):
                raise JournalError(
                    f"{self.path} is not the journal of a batch: it was left as it is. Give "
                    "journal= a new file name, or the name of an earlier batch's journal."
                )
            if first != HEADER:  # empty, or cut off in its very first line
                self._write(HEADER.removeprefix(first))
                return
            at, line = len(first), b"\n"
            for line in file:
                self._take(line, at)
                at += len(line)
        if not line.endswith(b"\n"):  # torn by a crash: what follows begins on a line of its own
            self._write(b"\n")

    def _take(self, line: bytes, at: int) -> None:
        entry = _parsed(line)
        for kind in ("ask", "fail", "answer"):
            key = entry.get(kind)
            if isinstance(key, str):
                self._open_asks[key] += 1 if kind == "ask" else -1
                if kind == "answer":
                    self._answers.setdefault(key, []).append(at)

    def recall(self, key: str) -> dict[str, Any] | None:
        """The next recorded answer for this request, or ``None``: each is given out once."""
        places = self._answers.get(key)
        if not places:
            return None
        with self.path.open("rb") as file:
            file.seek(places.pop(0))
            return _parsed(file.readline())

    def unanswered(self, key: str, most: int | None = None) -> int:
        """How many requests went out in earlier runs whose reply is not here; given out once."""
        known = max(self._open_asks.pop(key, 0), 0)
        taken = known if most is None else min(known, most)
        if taken < known:
            self._open_asks[key] = known - taken
        return taken

    def ask(self, key: str) -> None:
        """To be called before a request is sent."""
        self._write(b'{"ask":"%b"}\n' % key.encode("ascii"))

    def fail(self, key: str, reason: str) -> None:
        """The last ``ask`` came to nothing and was not paid for."""
        self._write(_line({"fail": key, "reason": reason}))

    def answer(self, key: str, reply: dict[str, Any]) -> None:
        """The reply to an ``ask``: once this returns it counts as done."""
        self._write(_line({"answer": key, **reply}))

    def _write(self, data: bytes) -> None:
        try:
            while data:  # a disk that is nearly full may take a part
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            raise JournalError(f"The journal {self.path} can't be written: {error}.") from error
        self._dirty.set()

    def _flush(self) -> None:
        while not self._closing.wait(FLUSH_EVERY_S):
            if self._dirty.is_set():
                self._dirty.clear()
                self._sync()

    def _sync(self) -> None:
        with suppress(OSError):  # a file system that can't flush still has every line
            os.fsync(self._fd)

    def close(self) -> None:
        """Flush to the disk and let go of the file. Closing twice is fine."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._flusher.join()
        self._sync()
        os.close(self._fd)


def _checked(path: object) -> Path:
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise InputError(f"journal is {path!r}: a file name is needed, 'run.jsonl' say.")
    file = Path(os.fsdecode(os.fspath(path)))
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise InputError(f"journal is {str(path)!r}: the name of a file in a folder that exists.")
    return file.absolute()


def _line(entry: dict[str, Any]) -> bytes:
    # Half a surrogate pair is no UTF-8; as a backslash escape it is JSON.
    return _compact(entry).encode("utf-8", "backslashreplace") + b"\n"


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line.decode("utf-8"))
    except ValueError:
        return {}  # torn by a crash
    return entry if isinstance(entry, dict) else {}
