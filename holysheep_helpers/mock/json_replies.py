"""Replies in JSON: an instance of the schema that was asked for, with the canned text in it."""

from __future__ import annotations

from typing import Any

from holysheep_helpers.mock.wire import WireError

ANY_OBJECT: dict[str, Any] = {
    "type": "object",
    "properties": {"reply": {"type": "string"}},
    "required": ["reply"],
}
DEEPEST = 32
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")


def instance(schema: dict[str, Any], text: str) -> Any:
    """A small instance of the schema; the first string in it is ``text``, others are short."""
    return _Maker(schema, text).make(schema, 0)


def check(schema: Any, where: str) -> None:
    """Raise ``WireError`` (400) if no instance of this schema can be made."""
    if not isinstance(schema, dict):
        raise WireError(400, f"'{where}' is a JSON Schema: an object is needed.", param=where)
    try:
        _Maker(schema, "").make(schema, 0)
    except _UnsupportedError as error:
        raise WireError(400, f"Invalid schema for '{where}': {error}", param=where) from None


class _UnsupportedError(Exception):
    pass


class _Maker:
    def __init__(self, root: dict[str, Any], text: str) -> None:
        self._root, self._text = root, text

    def make(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict):
            raise _UnsupportedError("a schema inside it is no object.")
        if depth > DEEPEST:
            raise _UnsupportedError(f"it is nested deeper than {DEEPEST} levels.")
        if "$ref" in schema:
            return self.make(self._target(schema["$ref"]), depth + 1)
        if "const" in schema:
            return schema["const"]
        for choice in ("enum", "anyOf", "oneOf"):
            if choice in schema:
                options = schema[choice]
                if not isinstance(options, list) or not options:
                    raise _UnsupportedError(f"'{choice}' is a list with something in it.")
                return options[0] if choice == "enum" else self.make(options[0], depth + 1)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next(iter(kind), None)
        if kind not in _TYPES:
            raise _UnsupportedError(f"there is no type {kind!r}.")
        return getattr(self, f"_{kind}")(schema, depth)

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise _UnsupportedError("a '$ref' leads elsewhere than into this schema.")
        found: Any = self._root
        for name in filter(None, reference[1:].split("/")):
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            raise _UnsupportedError(f"'$ref' {reference!r} leads nowhere.")
        return found

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise _UnsupportedError("'properties' is an object.")
        return {name: self.make(inner, depth + 1) for name, inner in properties.items()}

    def _array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        count = schema.get("minItems", 1)
        if type(count) is not int or not 0 <= count <= 100:
            raise _UnsupportedError("'minItems' is a whole number up to 100 here.")
        return [self.make(schema.get("items", {}), depth + 1) for _ in range(count)]

    def _string(self, schema: dict[str, Any], depth: int) -> str:
        text, self._text = self._text or "canned", ""
        longest = schema.get("maxLength", len(text))
        return text[:longest] if type(longest) is int and longest >= 0 else text

    def _number(self, schema: dict[str, Any], depth: int) -> float | int:
        for name in ("minimum", "maximum"):
            if type(schema.get(name)) in (int, float):
                return schema[name]
        return 1

    _integer = _number

    def _boolean(self, schema: dict[str, Any], depth: int) -> bool:
        return True

    def _null(self, schema: dict[str, Any], depth: int) -> None:
        return None
