"""Replies in JSON: an instance of the schema that was asked for, with the canned text in it."""

from __future__ import annotations

import json
import math
from typing import Any

from holysheep_helpers.mock.wire import WireError, shown

ANY_OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {"reply": {"type": "string"}},
    "required": ["reply"],
}
DEEPEST = 32
LONGEST = 50_000
"""Characters of a reply, about: a small schema can ask for an endless one."""
_LARGEST = 1e15
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_UNSUPPORTED = (
    "not", "if", "then", "else", "pattern", "patternProperties", "propertyNames", "prefixItems",
    "contains", "uniqueItems", "minProperties", "dependentRequired", "dependentSchemas",
)  # fmt: skip
_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "canned@example.com",
    "hostname": "example.com",
    "ipv4": "127.0.0.1",
    "ipv6": "::1",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def instance(schema: dict[str, Any], text: str) -> Any:
    """A small instance of the schema; the first string in it is ``text``, others are short."""
    return _Maker(schema, text, math.inf).make(schema, 0)


def check(schema: Any, where: str) -> None:
    """Raise ``WireError`` (400) if no instance of this schema can be made."""
    if not isinstance(schema, dict):
        raise WireError(400, f"'{where}' is a JSON Schema: an object is needed.", param=where)
    try:
        _Maker(schema, "", LONGEST).make(schema, 0)
    except _UnsupportedError as error:
        raise WireError(400, f"Invalid schema for '{where}': {error}", param=where) from None


class _UnsupportedError(Exception):
    pass


class _Maker:
    def __init__(self, root: dict[str, Any], text: str, longest: float) -> None:
        self._root, self._text, self._left = root, text, longest

    def make(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict):
            raise _UnsupportedError("a schema inside it is no object.")
        if depth > DEEPEST:
            raise _UnsupportedError(f"it is nested deeper than {DEEPEST} levels.")
        for name in _UNSUPPORTED:
            if schema.get(name):
                raise _UnsupportedError(f"this mock does not support '{name}'.")
        self._spend(2)
        if "$ref" in schema:
            return self.make(self._target(schema["$ref"]), depth + 1)
        if "const" in schema:
            return self._fixed(schema["const"])
        for choice in ("enum", "anyOf", "oneOf", "allOf"):
            if (options := schema.get(choice)) is not None:
                if not isinstance(options, list) or not options:
                    raise _UnsupportedError(f"'{choice}' is a list with something in it.")
                if choice == "allOf" and len(options) > 1:
                    raise _UnsupportedError("this mock supports one schema in 'allOf'.")
                if choice == "enum":
                    return self._fixed(options[0])
                return self.make(options[0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next(iter(kind), None)
        if kind not in _TYPES:
            raise _UnsupportedError(f"there is no type {shown(kind)}.")
        return getattr(self, f"_{kind}")(schema, depth)

    def _spend(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise _UnsupportedError(f"its instances are longer than {LONGEST} characters.")

    def _fixed(self, value: Any) -> Any:
        if self._left < math.inf:
            self._spend(len(json.dumps(value)))
        return value

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _UnsupportedError("a '$ref' leads elsewhere than into this schema.")
        found: Any = self._root
        for name in filter(None, reference[1:].split("/")):
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            raise _UnsupportedError(f"'$ref' {shown(reference)} leads nowhere.")
        return found

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise _UnsupportedError("'properties' is an object.")
        required = schema.get("required", [])
        if not isinstance(required, list) or not all(
            isinstance(name, str) and name in properties for name in required
        ):
            raise _UnsupportedError("'required' is a list of names in 'properties'.")
        self._spend(sum(len(name) + 4 for name in properties))
        return {name: self.make(inner, depth + 1) for name, inner in properties.items()}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        count, _ = _sizes(schema, "Items", 1)
        return [self.make(schema.get("items", {}), depth + 1) for _ in range(count)]

    def _string(self, schema: dict[str, Any], depth: int) -> str:
        least, most = _sizes(schema, "Length", 0)
        named = schema.get("format")
        if named is not None:
            text = _FORMATS.get(named) if isinstance(named, str) else None
            if text is None or len(text) < least or (most is not None and len(text) > most):
                raise _UnsupportedError(f"this mock can't make a string of format {shown(named)}.")
            return text
        self._spend(least + 8)
        text, self._text = self._text or "canned", ""
        return text.ljust(least, ".")[:most]

    def _number(self, schema: dict[str, Any], depth: int) -> float | int:
        return _number(schema, whole=False)

    def _integer(self, schema: dict[str, Any], depth: int) -> float | int:
        return _number(schema, whole=True)

    def _boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return True

    def _null(self, schema: dict[str, Any], depth: int) -> None:
        return None


def _size(schema: dict[str, Any], name: str) -> int | None:
    size = schema.get(name)
    if size is not None and (type(size) is not int or size < 0):
        raise _UnsupportedError(f"'{name}' is a whole number, 0 or more.")
    return size


def _sizes(schema: dict[str, Any], what: str, usual: int) -> tuple[int, int | None]:
    """The least of ``minItems`` or ``minLength``, as usual if there is none, and the most."""
    least, most = _size(schema, f"min{what}"), _size(schema, f"max{what}")
    if least is None:
        least = usual if most is None else min(usual, most)
    if most is not None and least > most:
        raise _UnsupportedError(f"'min{what}' is more than 'max{what}'.")
    return least, most


def _number(schema: dict[str, Any], *, whole: bool) -> float | int:
    """A number within the bounds: 1 or 0, or else one near a bound."""
    found = {}
    for name in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"):
        found[name] = schema.get(name)
        if found[name] is not None and (
            type(found[name]) not in (int, float) or abs(found[name]) > _LARGEST
        ):
            raise _UnsupportedError(f"'{name}' is a number up to {_LARGEST:g}.")
    low, high, above, below, step = found.values()
    if step is not None and (step <= 0 or type(step) is not int):
        raise _UnsupportedError("this mock supports whole numbers as 'multipleOf'.")
    edges = [edge for edge in (low, above, high, below) if edge is not None]
    unit = step or 1
    near = [math.floor(edge / unit) * unit + more for edge in edges for more in (0, unit, -unit)]
    middle = [sum(edges) / len(edges)] if edges else []
    for value in (1, 0, *near, *edges, *middle):
        if (
            (low is None or value >= low)
            and (high is None or value <= high)
            and (above is None or value > above)
            and (below is None or value < below)
            and (step is None or value % step == 0)
            and not (whole and value != int(value))
        ):
            return int(value) if whole else value
    raise _UnsupportedError("this mock finds no number within its bounds.")
