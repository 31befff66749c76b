"""The same request gives the same answer: on every system, alone or in a crowd."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.client import IncompleteRead
from typing import Any

import pytest

from holysheep_helpers import catalog
from holysheep_helpers.mock import state
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import serve
from tests.support import raw
from tests.support.project import ROOT

DIGEST = "218ccac67b28519634d5c8dbbefbc1378cf66cfe3b8bc6a327ffad44b7a003a8"
ASKED: list[dict[str, Any]] = [
    raw.body(f"Tell me about city number {index % 10}.", stream=index % 3 == 0)
    for index in range(50)
]


def crowd(workers: int) -> tuple[Counter[tuple[bytes, str]], list[dict[str, Any]]]:
    """Every answer's bytes and id, and the journal's times, asked by so many at once."""
    with serve(time_scale=1, pacer=raw.at_once()) as mock, ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(lambda payload: raw.send(mock, payload), ASKED))
        assert {answer.status for answer in answers} == {200}
        journal = sorted(mock.entries(), key=lambda entry: entry["id"])
    times = [{"id": entry["id"], "due_s": entry["due_s"]} for entry in journal]
    return Counter((a.content, a.headers["x-request-id"]) for a in answers), times


def test_one_by_one_and_fifty_at_once_get_the_same_answers() -> None:
    alone, crowded = crowd(1), crowd(50)
    assert alone == crowded
    assert len({content for (content, _) in alone[0]}) == len(ASKED)


FAULTS = [
    503, "rate_limit", "quota", "html", "comments", "no_done", "bad_json", "error_in_stream",
    {"kind": "disconnect", "after": 3}, {"kind": "end_early", "after": 2},
    {"kind": "bundle", "tokens": 3}, {"kind": "reasoning", "tokens": 5}, "slow",
]  # fmt: skip
MANY = [
    raw.body(f"Tell me about city number {index % 180}.", n=1 + index % 2, stream=index % 3 == 0)
    for index in range(500)
]


def witnessed(workers: int) -> tuple[str, list[dict[str, Any]]]:
    """A digest of all answers with their faults, as a set; and the journal without real times."""

    def ask(payload: dict[str, Any]) -> str:
        connection = raw.connect(mock)
        try:
            answer = raw.on(connection, mock, payload)
            seen = [answer.status, answer.headers.get("x-request-id"), answer.content.decode()]
        except IncompleteRead as broken:
            seen = ["broken off", broken.partial.decode()]
        finally:
            connection.close()
        return json.dumps(seen)

    with serve(time_scale=1, pacer=raw.at_once()) as mock, ThreadPoolExecutor(workers) as pool:
        mock.script(FAULTS, probability=0.3)
        answers = sorted(pool.map(ask, MANY))
        journal = sorted(mock.entries(), key=lambda entry: entry["id"])
    fixed = [
        {name: entry[name] for name in entry if name not in ("arrived_s", "ended_s", "sent_s")}
        for entry in journal
    ]
    faults = [[entry["id"], entry["fault"], entry["completion_tokens"]] for entry in journal]
    assert {entry["fault"] for entry in journal} >= {"status", "disconnect", "slow", None}
    return sha256(json.dumps([answers, faults]).encode()).hexdigest(), fixed


def test_five_hundred_requests_meet_the_same_answers_and_faults_alone_and_in_a_crowd() -> None:
    """The digest is the same on every Python and system: a change changes stored outputs."""
    alone, crowded = witnessed(1), witnessed(50)
    assert alone == crowded
    assert alone[0] == DIGEST


def test_a_fixed_request_has_these_bytes_everywhere() -> None:
    """Written down once: a change here changes the outputs stored in every notebook."""
    with serve(time_scale=1, pacer=raw.at_once()) as mock:
        first = raw.ask(mock, "hello", temperature=0)
    assert first.text == "[canned reply] Hello! How can I help you?"
    assert first.json["id"] == "chatcmpl-adabab59f5d3f73d1e702b74"
    assert first.json["created"] == 1_767_936_954


def test_temperature_0_or_a_seed_repeats_and_otherwise_variants_come(mock: MockHandle) -> None:
    def texts(**fields: Any) -> list[str]:
        return [raw.ask(mock, "Tell me of the sea.", **fields).text for _ in range(8)]

    assert len(set(texts(temperature=0))) == 1
    assert len(set(texts(seed=5, temperature=1.5))) == 1
    hot, warm = texts(temperature=1), texts(temperature=0.25)
    assert len(set(hot)) == 4
    assert hot[:4] == hot[4:]
    assert warm == [hot[0]] * 4 + [hot[1]] * 4


def test_different_seeds_of_a_request_differ(mock: MockHandle) -> None:
    said = [raw.ask(mock, "Tell me of the sea.", seed=seed).text for seed in range(4)]
    assert len(set(said)) == 4


def test_the_order_of_the_fields_does_not_matter() -> None:
    payload = raw.body("Tell me of the sea.", temperature=0.7, seed=3)
    backwards = dict(reversed(payload.items()))
    answers = []
    for asked in (payload, backwards):
        with serve(time_scale=1, pacer=raw.at_once()) as mock:
            answers.append(raw.send(mock, asked).content)
    assert answers[0] == answers[1]


def test_another_key_or_seed_has_times_of_its_own_and_a_reset_begins_anew() -> None:
    def times(mock: MockHandle) -> list[float]:
        raw.ask(mock, temperature=0)
        return mock.entries()[-1]["due_s"]

    with serve(time_scale=1, pacer=raw.at_once()) as mock:
        first = times(mock)
        again = times(mock)
        other = times(MockHandle(mock.base_url, "hs-mock-other"))
        mock.reset()
        anew = times(mock)
    with serve(seed=1, time_scale=1, pacer=raw.at_once()) as mock:
        seeded = times(mock)
    assert first == anew
    assert len({tuple(due) for due in (first, again, other, seeded)}) == 4


@pytest.mark.process
@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_python_s_hash_seed_has_no_part_in_it(hash_seed: str) -> None:
    program = (
        "import sys, json\n"
        "from holysheep_helpers.mock.server import serve\n"
        "from tests.support import raw\n"
        "with serve(time_scale=1, pacer=raw.at_once()) as mock:\n"
        "    for _ in range(3): answer = raw.ask(mock, 'hello', temperature=1)\n"
        "    print(json.dumps([answer.json, mock.entries()[-1]['due_s']]))\n"
    )
    env = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, check=True, timeout=60
    )
    with serve(time_scale=1, pacer=raw.at_once()) as mock:
        answers = [raw.ask(mock, "hello", temperature=1) for _ in range(3)]
        here = [answers[-1].json, mock.entries()[-1]["due_s"]]
    assert json.loads(done.stdout) == here


def test_of_many_requests_those_asked_lately_are_remembered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state, "REQUESTS_KNOWN", 4)
    tenant = state.Tenant("hs-mock-x", catalog.plans()["unlimited"], 1.0, None)
    asked = [tenant.nth(name) for name in (b"a", b"b", b"a", b"c", b"a", b"d", b"e", b"f", b"g")]
    assert asked == [0, 0, 1, 0, 2, 0, 0, 0, 0]
    assert tenant.nth(b"f") == 1
    assert tenant.nth(b"b") == 0
