"""Replies in JSON: what was asked for comes, or is refused; nothing else."""

from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.strict_json import parse_json
from tests.support import raw
from tests.support.strategies import an_error, often, texts, values

sizes = st.fixed_dictionaries({}, optional={"min": st.integers(0, 4), "max": st.integers(0, 6)})
bound = st.integers(-40, 40) | st.floats(-40, 40)
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def sized(kind: str, what: str, chosen: dict[str, int]) -> dict[str, Any]:
    return {"type": kind} | {f"{end}{what}": size for end, size in chosen.items()}


schemas = st.recursive(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"type": ["string", "null"]}])
    | st.builds(lambda chosen: sized("string", "Length", chosen), sizes)
    | st.fixed_dictionaries(
        {"type": st.just("string"), "format": st.sampled_from(["date", "uuid", "date-time", "x"])}
    )
    | st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", "number"])},
        optional=dict.fromkeys(BOUNDS, bound) | {"multipleOf": st.integers(1, 7)},
    )
    | st.builds(lambda options: {"enum": options}, st.lists(values, min_size=1, max_size=3))
    | st.builds(lambda value: {"const": value}, values)
    | st.just({"type": "string", "pattern": "^a+$"}),
    lambda inner: (
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=2))
        | st.builds(
            lambda item, chosen: sized("array", "Items", chosen) | {"items": item}, inner, sizes
        )
        | st.builds(
            lambda fields: {
                "type": "object",
                "properties": fields,
                "required": list(fields),
                "additionalProperties": False,
            },
            st.dictionaries(texts, inner, max_size=3),
        )
    ),
    max_leaves=6,
)


def asked_for(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


@given(schema=schemas)
@often
def test_json_fits_the_schema_that_was_asked_for(sound: MockHandle, schema: dict[str, Any]) -> None:
    answer = raw.send(sound, raw.body(response_format=asked_for(schema)))
    if answer.status == 200:
        Draft202012Validator(schema).validate(parse_json(answer.text.encode()))
    else:
        assert answer.status == 400
        assert an_error(answer)["param"] == "response_format.json_schema.schema"


KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "enum", "const", "$ref", "minItems", "maxItems",
     "minLength", "maxLength", "required", "minimum", "multipleOf", "format", "allOf", "$defs"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["object", "array", "string", "number", "integer", "#", "#/$defs", "#/items"]
)
jumbles = st.recursive(
    WORDS | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS, inner, max_size=4),
    max_leaves=20,
)


@given(schema=jumbles)
@often
def test_any_jumble_of_a_schema_is_served_or_refused(sound: MockHandle, schema: Any) -> None:
    answer = raw.send(sound, raw.body(response_format=asked_for(schema)))
    assert answer.status in (200, 400)
    if answer.status == 200:
        parse_json(answer.text.encode())
    else:
        assert (an_error(answer)["param"] or "").startswith("response_format")


@cache
def wide(depth: int) -> dict[str, Any]:
    """A schema of 200 letters, of which each level doubles the instance."""
    levels = {
        f"d{at}": {"type": "array", "minItems": 2, "items": {"$ref": f"#/$defs/d{at + 1}"}}
        for at in range(depth)
    }
    return {"$ref": "#/$defs/d0", "$defs": levels | {f"d{depth}": {"const": "x" * 100}}}


def test_a_small_schema_can_t_make_an_endless_reply(sound: MockHandle) -> None:
    nested: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        nested = {"type": "array", "minItems": 100, "items": nested}
    for schema, status in ((wide(5), 200), (wide(28), 400), (nested, 400)):
        answer = raw.send(sound, raw.body(response_format=asked_for(schema)))
        assert answer.status == status
