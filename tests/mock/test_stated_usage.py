"""A usage that states cached tokens and a cost, as some gateways send it."""

from typing import Any

import pytest

from holysheep_helpers.mock.handle import MockError, MockHandle
from tests.support import raw

STREAMED = {"stream": True, "stream_options": {"include_usage": True}}


def usages(mock: MockHandle) -> list[tuple[dict[str, Any], bytes]]:
    """The usage of a whole reply and of a stream, each with the bytes that it came in."""
    whole = raw.send(mock, raw.body())
    streamed = raw.send(mock, raw.body(**STREAMED))
    return [
        (whole.json["usage"], whole.content),
        (streamed.chunks[-1]["usage"], streamed.content),
    ]


def test_a_cost_goes_out_digit_by_digit(mock: MockHandle) -> None:
    text = "0.00012345678901234567890"
    mock.script([{"kind": "usage", "cost": text}] * 2)
    for usage, content in usages(mock):
        assert usage["cost"] == float(text)
        assert f'"cost":{text}}}'.encode() in content


def test_without_a_script_no_cost_is_stated_and_nothing_is_cached(mock: MockHandle) -> None:
    for usage, _ in usages(mock):
        assert "cost" not in usage
        assert usage["prompt_tokens_details"]["cached_tokens"] == 0


def test_cached_tokens_are_among_the_prompts_and_change_no_other_count(mock: MockHandle) -> None:
    plain = [usage for usage, _ in usages(mock)]
    mock.script([{"kind": "usage", "cached": 3}] * 2)
    for before, (usage, _) in zip(plain, usages(mock), strict=True):
        assert usage["prompt_tokens_details"]["cached_tokens"] == 3
        assert usage["prompt_tokens"] == before["prompt_tokens"]
    mock.script([{"kind": "usage", "cached": 10_000}])
    usage = raw.send(mock, raw.body()).json["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == usage["prompt_tokens"]


@pytest.mark.parametrize("text", ["0", "-1", "1e-7", "12.50", "3E+2"])
def test_any_number_of_json_is_taken(mock: MockHandle, text: str) -> None:
    mock.script([{"kind": "usage", "cost": text}])
    assert raw.send(mock, raw.body()).json["usage"]["cost"] == float(text)


@pytest.mark.parametrize(
    "bad", [0.5, 1, True, "", "free", ".5", "01", "1,0", "0}", "\u0661", "1e999"]
)
def test_what_is_no_number_in_quotes_is_refused(mock: MockHandle, bad: Any) -> None:
    with pytest.raises(MockError, match=r"script\[0\]\.cost: .* a number as JSON writes it"):
        mock.script([{"kind": "usage", "cost": bad}])


@pytest.mark.parametrize("bad", [-1, 0.5, "3", True])
def test_cached_tokens_are_a_count(mock: MockHandle, bad: Any) -> None:
    with pytest.raises(MockError, match=r"script\[0\]\.cached: .* a whole number"):
        mock.script([{"kind": "usage", "cached": bad}])
