"""A batch that is asked of several models in turn: in made-up time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

import holysheep_helpers as hs
from holysheep_helpers.mock.handle import MockHandle
from tests.support.virtual import Server, ask, completion, error, names, prompt_of

A, B = MODELS = ["mistral-small-2603", "gemini-2.5-flash"]


Fate = httpx2.Response | Exception | None


class Models(Server):
    """Each model answers in its own name, after a second, unless ``fate(model, now_s, nth)`` is
    another; ``asked`` has (when, model, prompt) of every request."""

    def __init__(self, fate: Callable[[str, float, int], Fate]) -> None:
        super().__init__()
        self.fate = fate
        self.asked: list[tuple[float, str, str]] = []

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            return httpx2.Response(200)
        model, now_s = json.loads(request.content)["model"], asyncio.get_running_loop().time()
        met = self.fate(model, now_s, self.by()[model])
        self.asked.append((now_s, model, prompt_of(request)))
        await asyncio.sleep(1.0)
        if isinstance(met, Exception):
            raise met
        text = prompt_of(request).upper()
        return met or httpx2.Response(200, json=completion(text, model=model))

    def by(self) -> Counter[str]:
        return Counter(model for _, model, _ in self.asked)


def down(which: str = A, status: int = 503, code: str | None = None, **headers: str) -> Models:
    """A server one of whose models is down."""
    return Models(lambda model, *_: error(status, code, **headers) if model == which else None)


def test_what_one_model_fails_the_next_one_answers_at_once() -> None:
    server = down()
    result = ask(server, names(3), models=MODELS, max_concurrency=1)
    assert result.texts == ["P0", "P1", "P2"]
    assert [item.model for item in result] == [B, B, B]
    assert [at_s for at_s, *_ in server.asked] == [0, 1, 2, 3, 4, 5]  # nobody waited
    assert [(one.model, one.outcome) for one in result[0].timeline] == [(A, "503"), (B, "ok")]


def test_a_model_that_keeps_failing_is_left_alone() -> None:
    server = down()
    result = ask(server, names(25), models=MODELS, max_concurrency=1)
    assert len(result.ok) == 25
    assert server.by() == {A: 3, B: 25}


def test_after_the_cool_down_one_prompt_tries() -> None:
    server = Models(lambda model, now_s, _: error(503) if model == A and now_s < 20 else None)
    result = ask(server, names(200), models=MODELS, max_concurrency=4)
    assert len(result.ok) == 200
    trials = [at_s for at_s, model, _ in server.asked if model == A and at_s >= 20]
    assert trials[0] == 31  # opened at 1 s, for 30 s
    assert trials[1] == 32  # alone until its answer closed the circuit
    assert server.by()[A] + server.by()[B] == result.sent == 200 + 4


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_by_kind_of_error(status: int) -> None:
    result = ask(down(status=status), names(8), models=MODELS)
    assert {item.model for item in result.ok} == {B}
    assert len(result.ok) == 8


def test_an_unknown_model_is_asked_for_once_and_stops_nothing() -> None:
    server = down(status=404, code="model_not_found")
    result = ask(server, names(9), models=MODELS, max_concurrency=1)
    assert len(result.ok) == 9
    assert server.by() == {A: 1, B: 9}
    assert result.stopped_by is None


@pytest.mark.filterwarnings("ignore::holysheep_helpers.BatchStoppedWarning")
@pytest.mark.parametrize(
    ("status", "code"), [(401, "invalid_api_key"), (403, None), (429, "insufficient_quota")]
)
def test_what_no_other_model_can_cure_stops_the_batch(status: int, code: str | None) -> None:
    server = down(status=status, code=code)
    result = ask(server, names(9), models=MODELS, max_concurrency=1)
    assert server.by() == {A: 1}
    assert isinstance(result.stopped_by, openai.APIStatusError)


def test_a_wrong_request_is_that_prompts_error_and_nobody_else_is_asked() -> None:
    server = down(status=400)
    result = ask(server, names(4), models=MODELS, max_concurrency=1)
    assert [type(item.error) for item in result] == [openai.BadRequestError] * 4
    assert server.by() == {A: 4}  # it says nothing of the model


@pytest.mark.filterwarnings("ignore::holysheep_helpers.BatchStoppedWarning")
def test_unknown_all_of_them_is_fatal() -> None:
    server = Models(lambda *_: error(404, "model_not_found"))
    result = ask(server, names(9), models=MODELS, max_concurrency=1)
    assert server.by() == {A: 1, B: 1}
    assert isinstance(result.stopped_by, openai.NotFoundError)


def test_one_that_is_unknown_does_not_stop_what_the_other_may_answer_later() -> None:
    def fate(model: str, now_s: float, _: int) -> Fate:
        return error(404, "model_not_found") if model == B else error(503) if now_s < 3 else None

    result = ask(Models(fate), names(6), models=MODELS, max_concurrency=2)
    assert [item.model for item in result] == [A] * 6
    assert result.stopped_by is None


def test_when_all_fail_it_waits_and_begins_a_new_round_up_to_six_requests() -> None:
    server = Models(lambda *_: error(500))
    result = ask(server, names(1), models=MODELS)
    assert [one.model for one in result[0].timeline] == [A, B] * 3
    assert isinstance(result[0].error, openai.InternalServerError)
    assert result[0].error.__notes__[-1] == "Given up after 6 requests."
    starts = [at_s for at_s, *_ in server.asked]
    assert starts[1] == starts[0] + 1  # at once
    assert starts[2] > starts[1] + 1  # after a back-off


def test_a_service_that_is_down_fails_a_batch_as_soon_as_without_a_breaker() -> None:
    two, one = Models(lambda *_: error(500)), Models(lambda *_: error(500))
    several = ask(two, names(40), models=MODELS, max_concurrency=4)
    single = ask(one, names(40), max_concurrency=4)
    assert len(several.failed) == len(single.failed) == 40
    assert several.sent <= single.sent
    assert several.elapsed_s >= 0


def test_a_retry_after_of_both_is_obeyed() -> None:
    def fate(model: str, now_s: float, _: int) -> Fate:
        until_s = {A: 20, B: 12}[model]
        left = {"retry-after": str(int(until_s - now_s))}
        return error(429, "rate_limit_exceeded", **left) if now_s < until_s - 1 else None

    server = Models(fate)
    result = ask(server, names(12), models=MODELS, max_concurrency=3)
    assert len(result.ok) == 12
    refused = {A: 20.0, B: 12.0}
    first = {model: next(at for at, m, _ in server.asked if m == model) for model in MODELS}
    for at_s, model, _ in server.asked:
        early = at_s > first[model] + 1 and at_s < refused[model] - 1
        assert not early, (at_s, model)


def test_a_lost_reply_counts_also_if_another_model_answered() -> None:
    server = Models(lambda model, *_: httpx2.ReadTimeout("slow") if model == A else None)
    result = ask(server, names(2), models=MODELS, max_concurrency=1)
    assert [item.lost for item in result] == [1, 1]
    assert result.possibly_paid_twice == 2


def test_the_budget_sets_aside_what_the_asked_model_costs() -> None:
    options: dict[str, Any] = {"models": MODELS, "max_tokens": 5, "max_concurrency": 1}
    result = ask(down(), names(20), budget_usd="1", **options)
    assert result[0].cost == Decimal("0.000016")  # 10 tokens in, 5 out, at Gemini's price
    assert result.spent_usd == 20 * Decimal("0.000016")
    with pytest.raises(hs.BudgetError, match="no price was published for 'gpt-4o'"):
        ask(down(), names(2), budget_usd="1", models=[A, "gpt-4o"])


def test_a_journal_finds_the_answer_of_whoever_gave_it(tmp_path: Path) -> None:
    options: dict[str, Any] = {"models": MODELS, "journal": tmp_path / "run.jsonl"}
    first = ask(down(), names(5), **options)
    again = ask(down(), names(5), **options)
    assert again.texts == first.texts
    assert (again.restored, again.sent) == (5, 0)
    assert {item.model for item in again} == {B}


def test_a_prompt_with_a_model_of_its_own_is_asked_of_that_first() -> None:
    prompts = ["a", {"prompt": "b", "model": "gpt-4.1"}, {"prompt": "c", "model": B}]
    server = Models(lambda *_: None)
    result = ask(server, prompts, models=MODELS)
    assert [item.model for item in result] == [A, "gpt-4.1", B]
    fallen = ask(down("gpt-4.1"), prompts, models=MODELS)
    assert [item.model for item in fallen] == [A, A, B]


def test_the_summary_says_who_answered() -> None:
    server = Models(lambda model, _, nth: error(503) if model == A and nth < 1 else None)
    result = ask(server, names(4), models=MODELS, max_concurrency=1)
    assert "answered by: 3 mistral-small-2603, 1 gemini-2.5-flash" in repr(result)
    assert "answered by" not in repr(ask(Models(lambda *_: None), names(2), models=MODELS))


def test_the_deadline_holds_across_models() -> None:
    server = Models(lambda *_: error(500))
    (item,) = ask(server, names(1), models=MODELS, deadline_s=1.5)
    assert isinstance(item.error, hs.DeadlineError)
    assert [one.model for one in item.timeline] == [A, B]


def test_both_a_model_and_models_is_refused() -> None:
    for options in ({"model": "gpt-4.1", "models": MODELS}, {"models": []}, {"models": "gpt-4.1"}):
        with pytest.raises(hs.InputError, match="models"):
            ask(down(), names(1), **options)


def test_over_a_socket_and_in_order(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script([503, 429], every=1, model=A)
    prompts = [f"What is {n} in Korean?" for n in range(50)]
    result = hs.batch_sync(gw, prompts, models=MODELS, max_tokens=40, progress=False)
    assert len(result.ok) == 50
    assert {item.model for item in result} == {B}
    assert all(prompts[item.index].split()[2] in (item.text or "") for item in result)
    assert gw.spend.usd == result.spent_usd == result.cost
    seen = Counter(entry["model"] for entry in mock.entries())
    # Five under way, and one more for each of the two failures before the one that opens it.
    assert seen[A] == result.sent - 50 <= 5 + 2


def test_an_endless_batch_takes_models_too(gw: hs.Gateway, mock: MockHandle) -> None:
    mock.script(503, every=1, model=A)

    async def main() -> list[hs.BatchItem]:
        items = hs.batch_iter(gw, names(6), models=MODELS, progress=False)
        return [item async for item in items]

    assert [item.model for item in asyncio.run(main())] == [B] * 6


def test_a_long_wait_of_one_model_does_not_stop_what_another_can_answer() -> None:
    def fate(model: str, now_s: float, nth: int) -> Fate:
        if model == A:  # longer than a batch waits for
            return error(429, "rate_limit_exceeded", **{"retry-after": "3600"})
        return error(503) if nth == 0 else None  # a hiccup

    server = Models(fate)
    result = ask(server, names(4), models=MODELS, max_concurrency=1)
    assert [item.model for item in result] == [B] * 4
    assert server.by() == {A: 1, B: 5}
    assert server.asked[-1][0] < 60


def test_the_estimate_takes_the_dearest_model_of_each_prompt(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def estimated(**options: Any) -> str:
        ask(
            Models(lambda *_: None), names(21), budget_usd=1, progress=True, max_tokens=5, **options
        )
        return capsys.readouterr().out.splitlines()[0]

    assert estimated(models=MODELS) == estimated(models=MODELS[::-1]) == estimated(model=B)
    assert estimated(model=A) != estimated(model=B)


def test_of_many_models_each_one_is_asked_before_it_is_given_up() -> None:
    models = [A, B, *(f"model-{n}" for n in range(6))]
    server = Models(lambda model, *_: error(503) if model != models[-1] else None)
    result = ask(server, names(1), models=models)
    assert [one.model for one in result[0].timeline] == models
    assert result[0].model == models[-1]


@pytest.mark.filterwarnings("ignore::holysheep_helpers.BatchStoppedWarning")
@pytest.mark.parametrize("models", [None, MODELS])
def test_a_server_that_says_to_come_back_tomorrow_stops_the_batch(models: Any) -> None:
    server = Models(lambda *_: error(503, **{"retry-after": "86400"}))
    result = ask(server, names(5), models=models, max_concurrency=1)
    assert isinstance(result.stopped_by, openai.InternalServerError)
    assert len(server.asked) == len(models or [A])
    assert server.asked[-1][0] < 60
