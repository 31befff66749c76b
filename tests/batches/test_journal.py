"""The journal of a batch: what it survives, what it refuses, what it never holds."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches.journal import HEADER, Journal
from holysheep_helpers.client.requests import Way


def key_of(body: dict[str, Any], **options: Any) -> str:
    client = openai.AsyncOpenAI(api_key="hs-mock-x", base_url="http://127.0.0.1:9/v1")
    return Way(client).key_of(body, options)


Opened = Callable[[Path], Journal]

A, B = key_of({"model": "m", "messages": ["a"]}), key_of({"model": "m", "messages": ["b"]})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens a journal, which is closed when another one is opened, and at the test's end."""
    with ExitStack() as stack:

        def open_only(file: Path) -> Journal:
            stack.close()
            return stack.enter_context(closing(Journal(file)))

        yield open_only


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def write(file: Path) -> None:
    journal = Journal(file)
    journal.ask(A)
    journal.answer(A, {"text": "안녕 \ud83d 👋", "cost": "0.1"})
    journal.ask(B)
    journal.fail(B, "503")
    journal.ask(B)
    journal.close()


def test_an_answer_comes_back_once_and_an_open_request_is_counted(
    file: Path, opened: Opened
) -> None:
    write(file)
    assert [next(iter(line)) for line in lines(file)] == [
        *("journal", "ask", "answer", "ask", "fail", "ask")
    ]
    journal = opened(file)
    record = journal.recall([A])
    assert record is not None
    assert (record["text"], record["cost"]) == ("안녕 \ud83d 👋", "0.1")
    assert journal.recall([A]) is None
    assert (journal.unanswered([A]), journal.unanswered([B]), journal.unanswered([B])) == (0, 1, 0)


def test_equal_prompts_have_as_many_answers_as_were_recorded(file: Path, opened: Opened) -> None:
    journal = Journal(file)
    for text in ("one", "two"):
        journal.ask(A)
        journal.answer(A, {"text": text})
    journal.close()
    journal = opened(file)
    records = [journal.recall([A]) for _ in range(3)]
    assert [record and record["text"] for record in records] == ["one", "two", None]


def test_a_line_is_there_before_the_call_returns(file: Path) -> None:
    journal = Journal(file)
    journal.ask(A)
    assert lines(file)[-1] == {"ask": A}
    journal.answer(A, {"text": "x"})
    assert lines(file)[-1] == {"answer": A, "text": "x"}
    journal.close()


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_torn_last_line_is_survived_wherever_it_was_torn(
    file: Path, cut: int, opened: Opened
) -> None:
    write(file)
    with file.open("ab") as torn:
        torn.write(json.dumps({"answer": B, "text": "lost 한국어"}).encode()[:cut])
    before = file.read_bytes()
    journal = Journal(file)
    assert journal.recall([B]) is None
    journal.answer(B, {"text": "new"})
    journal.close()
    assert file.read_bytes().startswith(before + b"\n")  # nothing is taken away
    journal = opened(file)
    texts = [record["text"] for key in (A, B) if (record := journal.recall([key]))]
    assert texts == ["안녕 \ud83d 👋", "new"]
    assert journal.recall([B]) is None


def test_a_last_line_that_only_lacks_its_end_counts(file: Path) -> None:
    write(file)
    with file.open("ab") as torn:
        torn.write(json.dumps({"answer": B, "text": "whole"}).encode())
    journal = Journal(file)
    record = journal.recall([B])
    assert record is not None
    assert record["text"] == "whole"
    journal.close()


@pytest.mark.parametrize("length", range(len(HEADER)))
def test_a_file_cut_in_its_very_first_line_is_made_whole(
    file: Path, length: int, opened: Opened
) -> None:
    file.write_bytes(HEADER[:length])
    journal = Journal(file)
    journal.ask(A)
    journal.close()
    assert file.read_bytes().startswith(HEADER)
    assert opened(file).unanswered([A]) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"prompt,answer\nhello,hi\n",
        b'{"text": "another JSONL"}\n',
        b"\x00\x01\x02 binary",
        b"\n",
        b'{"journal": "another", "version": 2}\n',
        b'{"journal": []}\n',
    ],
)
def test_another_kind_of_file_is_refused_and_left_as_it_is(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(hs.JournalError, match="is not the journal of a batch: it was left"):
        Journal(file)
    assert file.read_bytes() == content
    file.unlink()  # on Windows this fails if it were still open


@pytest.mark.parametrize(
    "garbage", [b"\x00" * 4096, b"[1]", b'{"ask": []}', b'{"ask": 3}', b"\xff"]
)
def test_what_a_power_cut_leaves_in_the_middle_is_skipped(
    file: Path, garbage: bytes, opened: Opened
) -> None:
    write(file)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'{"ask"', garbage + b'\n{"ask"', 1))
    journal = opened(file)
    assert journal.recall([A]) is not None
    assert journal.unanswered([B]) == 1


@pytest.mark.parametrize("path", ["", 3, b"", None])
def test_what_is_no_file_name_is_an_input_error(path: Any) -> None:
    with pytest.raises(hs.InputError, match="a file name is needed"):
        Journal(path)


def test_a_folder_or_a_place_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "run.jsonl"):
        with pytest.raises(hs.InputError, match="a file in a folder that exists"):
            Journal(path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_one_in_this_process_is_refused_until_the_first_is_closed(
    file: Path, opened: Opened
) -> None:
    first = Journal(file)
    with pytest.raises(hs.JournalError, match="in use by another batch"):
        Journal(file)
    first.ask(A)  # the first is none the worse
    first.close()
    first.close()
    assert opened(file).unanswered([A]) == 1


def hold(path: str, held: Connection) -> None:
    journal = Journal(path)
    journal.ask(A)
    held.send("held")
    held.recv()  # until it is killed


@pytest.mark.process
def test_another_process_is_refused_and_its_kill_leaves_no_lock(file: Path, opened: Opened) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=hold, args=(str(file), there))
    child.start()
    assert here.recv() == "held"
    with pytest.raises(hs.JournalError, match="in use"):
        Journal(file)
    child.kill()
    child.join()
    assert opened(file).unanswered([A]) == 1
    here.close()
    there.close()


def test_the_hash_knows_the_order_of_messages_but_not_of_parameters() -> None:
    one = {"model": "m", "messages": [{"role": "user", "content": "가"}], "temperature": 0}
    same = {"temperature": 0, "messages": [{"content": "가", "role": "user"}], "model": "m"}
    assert key_of(one) == key_of(same)
    assert key_of(one) != key_of(one | {"temperature": 0.1})
    assert key_of({"m": [1, 2]}) != key_of({"m": [2, 1]})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_only_its_owner_may_read_it(file: Path) -> None:
    write(file)
    assert file.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_an_error_that_names_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    journal = Journal(file)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(hs.JournalError, match=r"run\.jsonl can't be written.*No space left"):
        journal.ask(A)
    journal.close()


@pytest.mark.parametrize(
    ("version", "why"),
    [
        ("1", "journal of version 1, .* does not say whether a mock or which address"),
        ("3", "journal of version 3, .* a newer version of these helpers can read it"),
        ('"x"', "journal of version x"),
    ],
)
def test_a_journal_of_another_version_says_so_and_is_left_as_it_is(
    file: Path, version: str, why: str
) -> None:
    content = b'{"journal": "holysheep batch", "version": %b}\n{"ask":"a"}\n' % version.encode()
    file.write_bytes(content)
    with pytest.raises(hs.JournalError, match=f"{why}.*Give journal= a new file name"):
        Journal(file)
    assert file.read_bytes() == content


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_what_git_and_editors_of_windows_make_of_it_is_read_and_added_to(
    file: Path, opened: Opened, mark: bytes, end: bytes
) -> None:
    write(file)
    file.write_bytes(mark + file.read_bytes().replace(b"\n", end))
    journal = opened(file)
    record = journal.recall([A])
    assert record is not None
    assert record["text"] == "안녕 \ud83d 👋"
    assert journal.unanswered([B]) == 1
    journal.answer(B, {"text": "new"})
    assert opened(file).recall([B]) is not None


@pytest.mark.parametrize("cut", [b"", b"\r", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_header_alone_is_added_to_however_it_ends(
    file: Path, opened: Opened, mark: bytes, cut: bytes
) -> None:
    file.write_bytes(mark + HEADER.rstrip() + cut)
    opened(file).answer(A, {"text": "x"})
    assert opened(file).recall([A]) is not None


DAMAGED: dict[str, Any] = {
    "no text": {"text": None},
    "a number for a text": {"text": 3},
    "a cost that is no number": {"cost": "NaN"},
    "a cost without an end": {"cost": "Infinity"},
    "a bare NaN": {"cost": float("nan")},
    "a cost as a float": {"cost": 0.1},
    "a cost of a billion digits": {"cost": "1e999999999"},
    "a cost below 0": {"cost": "-1"},
    "a cost in words": {"cost": "cheap"},
    "a usage in words": {"usage": "many"},
    "a count in words": {"usage": {"prompt_tokens": "many"}},
    "a count below 0": {"usage": {"prompt_tokens": -1}},
    "a list for a model": {"model": []},
    "half a request": {"attempts": 0.5},
    "no time at all": {"elapsed_s": float("inf")},
    "a number for a refusal": {"refusal": 3},
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_answer_is_asked_again_and_counted_as_paid(
    file: Path, opened: Opened, what: str
) -> None:
    good = {"text": "good", "cost": "0.1", "usage": {"prompt_tokens": 1}}
    with closing(Journal(file)) as journal:
        for key, reply in ((A, good | DAMAGED[what]), (B, good)):
            journal.ask(key)
            journal.answer(key, reply)
    journal = opened(file)
    assert journal.recall([A]) is None
    assert journal.unanswered([A]) == 1
    assert journal.recall([B]) is not None
    assert journal.unanswered([B]) == 0


def test_json_deeper_than_python_can_go_is_passed_over(file: Path, opened: Opened) -> None:
    write(file)
    with file.open("ab") as more:
        more.write(b'{"answer":"%b","text":%b}\n' % (B.encode(), b"[" * 200_000 + b"]" * 200_000))
    journal = opened(file)
    assert journal.recall([B]) is None
    assert (journal.recall([A]) is None, journal.unanswered([B])) == (False, 1)


def test_an_answer_whose_ask_is_lost_hides_no_other_request(file: Path, opened: Opened) -> None:
    with closing(Journal(file)) as journal:
        journal.answer(A, {"text": "x"})
        journal.ask(A)
    assert opened(file).unanswered([A]) == 1


@pytest.mark.parametrize("taken", [0, 1, 20, -1])
def test_a_disk_that_was_full_for_a_moment_glues_no_lines_together(
    file: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    write_bytes, torn = os.write, []

    def full_once(fd: int, data: bytes) -> int:
        if len(torn) == 1:
            torn.append(data)
            raise OSError(28, "No space left on device")
        torn.append(data)
        return write_bytes(fd, data[:taken])

    journal = opened(file)
    journal.ask(A)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full_once)
        with pytest.raises(hs.JournalError, match="No space left"):
            journal.answer(A, {"text": "torn"})
    journal.answer(B, {"text": "whole"})
    journal = opened(file)
    record = journal.recall([B])
    assert record is not None
    assert record["text"] == "whole"
    assert journal.recall([A]) is None or taken == -1  # it lacked its line break alone


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody move an open file")
def test_moved_in_mid_run_it_goes_on_in_the_open_file(file: Path, opened: Opened) -> None:
    write(file)
    journal = opened(file)
    moved = file.rename(file.with_name("moved.jsonl"))
    assert journal.recall([A]) is not None
    journal.answer(B, {"text": "new"})
    assert opened(moved).recall([B]) is not None
    assert not file.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody delete an open file")
@pytest.mark.parametrize("replaced", [True, False])
def test_deleted_or_replaced_in_mid_run_is_an_error_before_more_is_asked(
    file: Path, opened: Opened, replaced: bool
) -> None:
    write(file)
    journal = opened(file)
    if replaced:
        other = file.with_name("other.jsonl")
        other.write_bytes(HEADER)
        other.replace(file)
    else:
        file.unlink()
    record = journal.recall([A])
    assert record is not None
    assert record["text"] == "안녕 \ud83d 👋"
    with pytest.raises(hs.JournalError, match="was deleted, replaced or shortened"):
        journal.ask(B)


def test_overwritten_in_place_it_gives_no_answer_of_another_request(
    file: Path, opened: Opened
) -> None:
    write(file)
    journal = opened(file)
    file.write_bytes(file.read_bytes().replace(A.encode(), B.encode()))
    assert journal.recall([A]) is None
    assert journal.unanswered([A]) == 1  # what was paid for is counted
    file.write_bytes(b"")
    with pytest.raises(hs.JournalError, match="or shortened"):
        journal.ask(A)


@pytest.fixture
def as_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "win32":
        import fcntl

        def locking(fd: int, mode: int, size: int) -> None:
            assert (mode, size, os.lseek(fd, 0, os.SEEK_CUR)) == (2, 1, 1 << 40)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

        stand_in = SimpleNamespace(LK_NBLCK=2, locking=locking)
        monkeypatch.setitem(sys.modules, "msvcrt", stand_in)
        monkeypatch.setitem(sys.modules, "fcntl", None)
    for name in ("pread", "getuid"):
        monkeypatch.delattr(os, name, raising=False)


@pytest.mark.usefixtures("as_on_windows")
def test_without_what_windows_lacks_all_of_it_holds(file: Path, opened: Opened) -> None:
    write(file)
    journal = opened(file)
    with pytest.raises(hs.JournalError, match="in use"):
        Journal(file)
    journal.ask(A)  # between two reads: it goes to the end, wherever the last read was
    record = journal.recall([A])
    assert record is not None
    assert record["text"] == "안녕 \ud83d 👋"
    journal.answer(A, {"text": "new"})
    journal = opened(file)
    texts = [record and record["text"] for record in (journal.recall([A]), journal.recall([A]))]
    assert texts == ["안녕 \ud83d 👋", "new"]
    assert journal.unanswered([B]) == 1
