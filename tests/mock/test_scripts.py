"""Scripts by rule: in order, every n-th, with a probability, or carried by the request itself."""

from typing import Any

import pytest

from holysheep_helpers.mock.handle import MockError, MockHandle
from tests.support import raw


def statuses(mock: MockHandle, count: int, **fields: Any) -> list[int]:
    return [raw.send(mock, raw.body(**fields)).status for _ in range(count)]


def test_every_fifth_request_meets_a_fault(mock: MockHandle) -> None:
    mock.script(503, every=5)
    assert statuses(mock, 12) == [200] * 4 + [503] + [200] * 4 + [503] + [200] * 2


def test_several_faults_take_turns(mock: MockHandle) -> None:
    mock.script([500, None, 502], every=2)
    assert statuses(mock, 8) == [200, 500, 200, 200, 200, 502, 200, 500]


def test_one_model_is_down_and_the_others_answer(mock: MockHandle) -> None:
    mock.script(503, every=1, model="mistral-small-2603")
    names = ["mistral-small-2603", "gemini-2.5-flash", "mistral/small-2603", "gpt-4.1"]
    met = [statuses(mock, 1, model=name) for name in names * 2]
    assert met == [[503], [200], [503], [200]] * 2


def test_only_that_models_requests_count(mock: MockHandle) -> None:
    mock.script([None, 500], model="gpt-4.1")
    asked = ["gpt-4.1", "gpt-4o", "gpt-4o", "gpt-4.1", "gpt-4.1"]
    assert [statuses(mock, 1, model=name) for name in asked] == [[200]] * 3 + [[500], [200]]


def test_a_probability_is_kept_and_drawn_from_the_request(mock: MockHandle) -> None:
    mock.script([500, 503], probability=0.2)
    prompts = [f"Number {number}" for number in range(1000)]
    met = [raw.send(mock, raw.body(prompt)).status for prompt in prompts]
    for status in (500, 503):  # 100 expected, 4 standard deviations of 9.5 allowed
        assert 62 <= met.count(status) <= 138
    mock.reset()
    mock.script([500, 503], probability=0.2)
    assert [raw.send(mock, raw.body(prompt)).status for prompt in prompts[::-1]] == met[::-1]


def test_a_repeat_has_a_draw_of_its_own(mock: MockHandle) -> None:
    mock.script(500, probability=0.5)
    assert set(statuses(mock, 20)) == {200, 500}


@pytest.mark.parametrize(("probability", "status"), [(0, 200), (1, 500)])
def test_the_ends_of_probability(mock: MockHandle, probability: int, status: int) -> None:
    mock.script(500, probability=probability)
    assert statuses(mock, 20) == [status] * 20


def test_a_request_can_carry_its_own_fault_and_leaves_the_script_alone(mock: MockHandle) -> None:
    mock.script([503])
    own = {"x-mock-fault": '{"kind": "status", "status": 418, "headers": {"x-tea": "yes"}}'}
    answer = raw.send(mock, raw.body(), headers=own)
    assert (answer.status, answer.headers["x-tea"]) == (418, "yes")
    assert raw.send(mock, raw.body(), headers={"x-mock-fault": "quota"}).status == 429
    assert statuses(mock, 2) == [503, 200]


@pytest.mark.parametrize("text", ["explode", "{", '{"kind": "stall", "after": -1}', '{"a": 1}', ""])
def test_a_carried_fault_that_is_none_is_a_400(mock: MockHandle, text: str) -> None:
    answer = raw.send(mock, raw.body(), headers={"x-mock-fault": text})
    assert answer.status == 400
    assert answer.json["error"]["param"].startswith("x-mock-fault")


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ({"every": 0}, "script.every: 0 given"),
        ({"every": True}, "script.every: True given"),
        ({"probability": 1.5}, "script.probability: 1.5 given"),
        ({"probability": "half"}, "script.probability: 'half' given"),
        ({"every": 2, "probability": 0.5}, "exclude each other"),
        ({"model": "gpt-99"}, "script.model: 'gpt-99' given"),
        ({"model": 5}, "script.model: 5 given"),
    ],
)
def test_a_rule_that_is_none_is_refused(mock: MockHandle, rules: Any, says: str) -> None:
    with pytest.raises(MockError, match="400") as caught:
        mock.script(500, **rules)
    assert says in str(caught.value)


def test_a_field_that_a_fault_does_not_take_is_named(mock: MockHandle) -> None:
    with pytest.raises(MockError, match=r"script\[1\]\.factor: 'stall' takes no 'factor'"):
        mock.script([500, {"kind": "stall", "factor": 2}])
