"""The journal of a batch: what was asked and what came, so that a crash costs next to nothing.

One line of JSON each: ``ask`` before a request is sent, ``fail`` after one that certainly was not
paid for, ``answer`` with the reply. Prompts and addresses are kept as hashes; no key is in it.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from holysheep_helpers._checks import shown
from holysheep_helpers.batches.results import is_record
from holysheep_helpers.client.requests import MOCK
from holysheep_helpers.exceptions import InputError, JournalError

VERSION = 2


HEADER = b'{"journal": "holysheep batch", "version": %d}\n' % VERSION


FLUSH_EVERY_S = 1.0


_BOM = b"\xef\xbb\xbf"  # what some editors of Windows put before a text


_LONGEST_HEADER = 200  # bytes: who reads on has another file before him


_FAR = 1 << 40  # where Windows locks a byte, so that all others stay readable


_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Journal:
    """A file that is added to, held by one process at a time, and read again after a crash.

    Each line is handed to the operating system before the call returns, so that it survives the
    end of this process, ``kill -9`` included. The disk's own flush (``fsync``) happens in a thread,
    once a second: a power cut or a crash of the whole machine can lose the last second's lines,
    and what they would have recorded is then asked again, without being counted.

    All is read and written through the descriptor that holds the lock, whatever becomes of the
    path, and a line is taken only for the request whose key it states. A line that can't be read is
    passed over: what it recorded is asked again, and counted where the line of its ``ask`` is left.

    Raises ``JournalError`` if the file is something else or of another version (it is left as it
    is), if another process holds it, or if it is deleted or replaced; ``InputError`` for a path
    that can't be one.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = _checked(path)
        self._answers: dict[str, list[tuple[int, int]]] = {}
        self._open_asks: Counter[str] = Counter()
        self._ways: set[str] = set()
        self._one_at_a_time = threading.Lock()
        self._dirty, self._closing = threading.Event(), threading.Event()
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._fd = os.open(self.path, flags, 0o600)  # answers are the owner's business
        except OSError as error:
            raise JournalError(f"The journal {self.path} can't be opened: {error}.") from error
        try:
            self._lock()
            self._links = min(os.fstat(self._fd).st_nlink, 1)  # some file systems count none
            self._load()
        except BaseException:
            os.close(self._fd)
            raise
        self._flusher = threading.Thread(target=self._flush, daemon=True)
        self._flusher.start()

    def _lock(self) -> None:
        try:
            if (posix := _module("fcntl")) is not None:
                posix.flock(self._fd, posix.LOCK_EX | posix.LOCK_NB)
            elif (windows := _module("msvcrt")) is not None:
                os.lseek(self._fd, _FAR, os.SEEK_SET)
                windows.locking(self._fd, windows.LK_NBLCK, 1)
        except OSError:
            raise JournalError(
                f"The journal {self.path} is in use by another batch. Wait for its end, or give "
                "this one a journal of its own: two on one file would pay twice."
            ) from None

    def _load(self) -> None:
        os.lseek(self._fd, 0, os.SEEK_SET)
        with open(self._fd, "rb", closefd=False) as file:
            line = file.readline(_LONGEST_HEADER)
            self._whole_until = at = len(line)
            first = line.removeprefix(_BOM)
            if first != HEADER and HEADER.startswith(first):  # empty, or cut off in its first line
                self._write(HEADER.removeprefix(first))
                return
            self._check_header(first)
            for line in file:
                self._take(line, at)
                at += len(line)
        self._whole_until = at if line.endswith(b"\n") else -1

    def _check_header(self, first: bytes) -> None:
        entry = _parsed(first)
        if "journal" not in entry or entry["journal"] != _parsed(HEADER)["journal"]:
            raise JournalError(
                f"{self.path} is not the journal of a batch: it was left as it is. Give "
                "journal= a new file name, or the name of an earlier batch's journal."
            )
        if (version := entry.get("version")) == VERSION:
            return
        why = "a newer version of these helpers can read it"
        if version == 1:
            why = "it does not say whether a mock or which address gave its answers"
        raise JournalError(
            f"{self.path} is a journal of version {str(version)[:20]}, and this is version "
            f"{VERSION}: {why}. It was left as it is, and nothing was sent. Give journal= a new "
            "file name: all prompts are then asked."
        )

    def _take(self, line: bytes, at: int) -> None:
        entry = _parsed(line)
        for kind in ("ask", "fail", "answer"):
            key = entry.get(kind)
            if not isinstance(key, str) or (kind == "answer" and not is_record(entry)):
                continue
            if kind == "ask":
                self._open_asks[key] += 1
            elif self._open_asks[key]:  # else its ask was lost; another one's stays open
                self._open_asks[key] -= 1
            if kind == "answer":
                self._answers.setdefault(key, []).append((at, len(line)))
                self._ways.add(key.partition("@")[2])

    def recall(self, keys: Iterable[str]) -> dict[str, Any] | None:
        """The next recorded answer to one of these requests, or ``None``: each is given out once.

        The keys are those of one prompt, one for each model that may be asked.
        """
        for key in keys:
            places = self._answers.get(key)
            while places:
                entry = _parsed(self._read(*places.pop(0)))
                if entry.get("answer") == key and is_record(entry):
                    return entry
                self._open_asks[key] += 1  # it was paid for, and somebody has changed the file
        return None

    def _read(self, at: int, size: int) -> bytes:
        try:
            if hasattr(os, "pread"):
                return os.pread(self._fd, size, at)
            with self._one_at_a_time:
                os.lseek(self._fd, at, os.SEEK_SET)
                return os.read(self._fd, size)
        except OSError as error:
            raise JournalError(f"The journal {self.path} can't be read: {error}.") from error

    def elsewhere(self, keys: Iterable[str]) -> tuple[int, str]:
        """How many of these requests have answers from elsewhere only, and from where."""
        count, whence = 0, set[str]()
        for key in keys:
            prompt, _, way = key.partition("@")
            ways = {w for w in self._ways if w != way and f"{prompt}@{w}" in self._answers}
            count += bool(ways)
            whence |= {_whence(other, way) for other in ways}
        return count, " and ".join(sorted(whence))

    def unanswered(self, keys: Iterable[str], most: int | None = None) -> int:
        """How many requests went out in earlier runs whose reply is not here; given out once."""
        given = 0
        for key in keys:
            known = self._open_asks.pop(key, 0)
            taken = known if most is None else min(known, most - given)
            if taken < known:
                self._open_asks[key] = known - taken
            given += taken
        return given

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
            with self._one_at_a_time:
                file = os.fstat(self._fd)
                if file.st_nlink < self._links or file.st_size < self._whole_until:
                    raise JournalError(
                        f"The journal {self.path} was deleted, replaced or shortened while the "
                        "batch ran, so that a crash could lose what is answered from now on. What "
                        "was answered is in the result; result.retry_failed() asks the rest."
                    )
                if file.st_size != self._whole_until:  # torn: a line begins on a line of its own
                    data = b"\n" + data
                left = data
                while left:  # a disk that is nearly full may take a part
                    left = left[os.write(self._fd, left) :]
                self._whole_until = file.st_size + len(data)
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
        raise InputError(f"journal is {shown(path)}: a file name is needed, such as 'run.jsonl'.")
    file = Path(os.fsdecode(os.fspath(path)))
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise InputError(
            f"journal is {shown(str(path))}: the name of a file in a folder that exists."
        )
    return file.absolute()


def _line(entry: dict[str, Any]) -> bytes:
    # Half a surrogate pair is no UTF-8; as a backslash escape it is JSON.
    return _compact(entry).encode("utf-8", "backslashreplace") + b"\n"


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}  # torn by a crash, or changed by somebody else
    return entry if isinstance(entry, dict) else {}


def _whence(way: str, own: str) -> str:
    """How this way of another request differs from one's own, as ``requests.Way`` writes it."""
    origin, _, _ = way.partition("+")
    if origin == own.partition("+")[0]:
        return "other headers or another query"
    return "another origin (mock)" if origin == MOCK else "another origin (an address)"


def _module(name: str) -> Any:
    """This module of the standard library, or ``None`` where the system has none."""
    with suppress(ImportError):
        return import_module(name)
    return None
