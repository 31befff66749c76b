"""What property tests draw from, and the form that each error must have."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from holysheep_helpers import catalog
from tests.support import raw

often = settings(
    derandomize=True,
    print_blob=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def examples(count: int) -> int:
    """So many examples of a property test; a quarter of them for ``start.py test --quick``."""
    return count // 4 if settings.get_current_profile_name() == "quick" else count


def an_error(answer: raw.Answer) -> dict[str, Any]:
    """The error in an answer, which must have the form of one."""
    assert list(answer.json) == ["error"]
    error = answer.json["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert error["message"]
    assert isinstance(error["type"], str)
    assert all(isinstance(error[name], str | None) for name in ("param", "code"))
    assert answer.headers["content-type"] == "application/json"
    return error


texts = st.text(st.characters(codec="utf-8"), max_size=40)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


prompts = st.sampled_from(["hello", "Write a long poem.", "안녕하세요. 날씨?", "json: {x}"]) | texts


messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant"]), "content": prompts}
    ),
    min_size=1,
    max_size=4,
)


requests = st.fixed_dictionaries(
    {"model": st.sampled_from([model.id for model in catalog.models()]), "messages": messages},
    optional={
        "n": st.integers(1, 3),
        "max_tokens": st.integers(1, 40),
        "temperature": st.floats(0, 2),
        "seed": st.integers(-5, 5),
        "stop": st.lists(st.sampled_from([".", " a", "[", "다"]), max_size=4),
        "user": texts,
        "response_format": st.just({"type": "text"}),
    },
)
