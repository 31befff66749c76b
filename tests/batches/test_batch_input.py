"""What a batch refuses before anything is sent, and how it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pandas as pd
import pytest

import holysheep_helpers as hs
from tests.support.virtual import Server, ask

BAD: list[tuple[Any, dict[str, Any], str]] = [
    ("one prompt", {}, "One str was given where a list"),
    ({"prompt": "x"}, {}, "One dict was given where a list"),
    (7, {}, "A int was given"),
    (pd.DataFrame({"a": ["x"]}), {}, "A data frame was given"),
    (["a", ""], {}, r"Prompt 1: it is empty"),
    (pd.Series(["a", None], index=["x", "y"]), {}, r"Prompt 'y': it is a \w+ \(an empty cell"),
    (["a", float("nan")], {}, "Prompt 1: it is a float .an empty cell"),
    (pd.Series(["a", None], dtype="string"), {}, r"Prompt 1: it is a \w+ \(an empty cell"),
    (["a", pd.NA], {}, "Prompt 1: it is a NAType .an empty cell"),
    (["a", pd.array(["b", "c"])], {}, "Prompt 1: it is a"),
    (["a", 5], {}, "Prompt 1: it is a int"),
    (["a", "\ud800"], {}, "Prompt 1: a text has half a character"),
    (["a", {"prompt": "b", "stop": {"c"}}], {}, "Prompt 1: a request takes plain JSON values"),
    (["a"], {"response_format": dict}, "Prompt 0: a request takes plain JSON values"),
    (["a", []], {}, "Prompt 1: a list of messages"),
    (["a", ["b"]], {}, "Prompt 1: a list of messages"),
    ([{"model": "m"}], {}, "Prompt 0: a dict needs either 'prompt' or 'messages'"),
    ([{"prompt": "a", "messages": []}], {}, "either 'prompt' or 'messages'"),
    ([{"prompt": "a", "model": ""}], {}, "Prompt 0: model is ''"),
    ([{"prompt": "a", "max_tokens": 0}], {}, "Prompt 0: max_tokens is 0"),
    ([{"prompt": "a", "stream": True}], {}, "whole answers"),
    (["a"], {"model": None}, "model is None"),
    (["a"], {"system": 3}, "system is a int"),
    (["a"], {"n": 2}, "n is 2"),
    (["a"], {"max_tokens": -1}, "max_tokens is -1"),
    (["a"], {"messages": []}, "'messages' belongs into the list"),
    (["a"], {"extra_body": 3}, "extra_body is a int"),
    (["a"], {"max_concurrency": 0}, "max_concurrency is 0"),
    (["a"], {"max_concurrency": 2.5}, "max_concurrency is 2.5"),
    (["a"], {"max_concurrency": True}, "max_concurrency is True"),
    (["a"], {"requests_per_minute": 0}, "requests_per_minute is 0"),
    (["a"], {"tokens_per_minute": "60"}, "tokens_per_minute is '60'"),
    (["a"], {"deadline_s": -1}, "deadline_s is -1"),
    (["a"], {"deadline_s": float("nan")}, "deadline_s is nan"),
    (["a"], {"journal": 3}, "journal is 3"),
    (["a"], {"journal": ""}, "journal is '': a file name"),
]


@pytest.mark.parametrize(("prompts", "options", "message"), BAD)
def test_what_cannot_be_right_is_said_before_anything_is_sent(
    prompts: Any, options: dict[str, Any], message: str
) -> None:
    server = Server()
    with pytest.raises(hs.InputError, match=message):
        ask(server, prompts, **options)
    assert server.seen == []


@pytest.mark.parametrize("budget", [1.5, "much", -1, True])
def test_a_budget_that_is_no_money_is_refused(budget: Any) -> None:
    with pytest.raises(hs.ConfigurationError, match="budget_usd is"):
        ask(Server(), ["a"], budget_usd=budget)


def test_a_parameter_that_is_no_json_can_not_go_into_a_journal(tmp_path: Path) -> None:
    with pytest.raises(hs.InputError, match="plain JSON"):
        ask(Server(), ["a"], journal=tmp_path / "run.jsonl", metadata={"x": {1, 2}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", [None, "gw", openai.OpenAI(api_key="x")])
def test_a_target_that_cannot_ask_is_an_input_error(target: Any) -> None:
    with pytest.raises(hs.InputError, match="AsyncOpenAI"):
        hs.batch_sync(target, ["a"])
