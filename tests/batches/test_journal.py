"""The journal of a batch: what it survives, what it refuses, what it never holds."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

import holysheep_helpers as hs
from holysheep_helpers.batches.journal import HEADER, Journal
from holysheep_helpers.client.requests import key_of

A, B = key_of({"model": "m", "messages": ["a"]}), key_of({"model": "m", "messages": ["b"]})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def opened(file: Path) -> Journal:
    journal = Journal(file)
    journal.close()  # what was loaded stays readable
    return journal


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


def test_an_answer_comes_back_once_and_an_open_request_is_counted(file: Path) -> None:
    write(file)
    assert [next(iter(line)) for line in lines(file)] == [
        *("journal", "ask", "answer", "ask", "fail", "ask")
    ]
    journal = opened(file)
    record = journal.recall(A)
    assert record is not None
    assert (record["text"], record["cost"]) == ("안녕 \ud83d 👋", "0.1")
    assert journal.recall(A) is None
    assert (journal.unanswered(A), journal.unanswered(B), journal.unanswered(B)) == (0, 1, 0)


def test_equal_prompts_have_as_many_answers_as_were_recorded(file: Path) -> None:
    journal = Journal(file)
    for text in ("one", "two"):
        journal.ask(A)
        journal.answer(A, {"text": text})
    journal.close()
    journal = opened(file)
    records = [journal.recall(A) for _ in range(3)]
    assert [record and record["text"] for record in records] == ["one", "two", None]


def test_a_line_is_there_before_the_call_returns(file: Path) -> None:
    journal = Journal(file)
    journal.ask(A)
    assert lines(file)[-1] == {"ask": A}
    journal.answer(A, {"text": "x"})
    assert lines(file)[-1] == {"answer": A, "text": "x"}
    journal.close()


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_torn_last_line_is_survived_wherever_it_was_torn(file: Path, cut: int) -> None:
    write(file)
    with file.open("ab") as torn:
        torn.write(json.dumps({"answer": B, "text": "lost 한국어"}).encode()[:cut])
    before = file.read_bytes()
    journal = Journal(file)
    assert journal.recall(B) is None
    journal.answer(B, {"text": "new"})
    journal.close()
    assert file.read_bytes().startswith(before + b"\n")  # nothing is taken away
    journal = opened(file)
    texts = [record["text"] for key in (A, B) if (record := journal.recall(key))]
    assert texts == ["안녕 \ud83d 👋", "new"]
    assert journal.recall(B) is None


def test_a_last_line_that_only_lacks_its_end_counts(file: Path) -> None:
    write(file)
    with file.open("ab") as torn:
        torn.write(json.dumps({"answer": B, "text": "whole"}).encode())
    journal = Journal(file)
    record = journal.recall(B)
    assert record is not None
    assert record["text"] == "whole"
    journal.close()


@pytest.mark.parametrize("length", range(len(HEADER)))
def test_a_file_cut_in_its_very_first_line_is_made_whole(file: Path, length: int) -> None:
    file.write_bytes(HEADER[:length])
    journal = Journal(file)
    journal.ask(A)
    journal.close()
    assert file.read_bytes().startswith(HEADER)
    assert opened(file).unanswered(A) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"prompt,answer\nhello,hi\n",
        b'{"text": "another JSONL"}\n',
        b"\x00\x01\x02 binary",
        b"\n",
        HEADER.replace(b"1", b"2"),
        b"\xef\xbb\xbf" + HEADER,
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
def test_what_a_power_cut_leaves_in_the_middle_is_skipped(file: Path, garbage: bytes) -> None:
    write(file)
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'{"ask"', garbage + b'\n{"ask"', 1))
    journal = opened(file)
    assert journal.recall(A) is not None
    assert journal.unanswered(B) == 1


@pytest.mark.parametrize("path", ["", 3, b"", None])
def test_what_is_no_file_name_is_an_input_error(path: Any) -> None:
    with pytest.raises(hs.InputError, match="a file name is needed"):
        Journal(path)


def test_a_folder_or_a_place_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere" / "run.jsonl"):
        with pytest.raises(hs.InputError, match="a file in a folder that exists"):
            Journal(path)
    assert list(tmp_path.iterdir()) == []


def test_a_second_one_in_this_process_is_refused_until_the_first_is_closed(file: Path) -> None:
    first = Journal(file)
    with pytest.raises(hs.JournalError, match="in use by another batch"):
        Journal(file)
    first.ask(A)  # the first is none the worse
    first.close()
    first.close()
    assert opened(file).unanswered(A) == 1


def hold(path: str, held: Connection) -> None:
    journal = Journal(path)
    journal.ask(A)
    held.send("held")
    held.recv()  # until it is killed


@pytest.mark.process
def test_another_process_is_refused_and_its_kill_leaves_no_lock(file: Path) -> None:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=hold, args=(str(file), there))
    child.start()
    assert here.recv() == "held"
    with pytest.raises(hs.JournalError, match="in use"):
        Journal(file)
    child.kill()
    child.join()
    assert opened(file).unanswered(A) == 1
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
