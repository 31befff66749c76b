"""The list of errors, and the page that is made of it."""

from __future__ import annotations

import ast

import holysheep_helpers as hs
from holysheep_helpers.diagnosis import kinds
from tests.support.project import ROOT
from tools import errors_page


def test_the_page_of_errors_is_up_to_date() -> None:
    stored = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert stored == errors_page.page(), "python -m tools.errors_page"
    assert list(hs.errors_table().index) == list(kinds.KINDS)


def test_whose_fault_is_one_of_four() -> None:
    whose = {kind.whose for kind in kinds.KINDS.values()}
    assert whose == {kinds.YOURS, kinds.GATEWAYS, kinds.LINES, kinds.UNKNOWN}
    for kind in kinds.KINDS.values():
        assert kind.what.endswith(".")
        assert kind.advice.endswith((".", "?"))
        assert not kind.other_model or kind.retryable or kind is kinds.KINDS["unknown_model"]


def test_the_list_is_closed_no_kind_is_idle_and_none_is_unlisted() -> None:
    """Every kind is named where errors are told apart, and what is returned there is a kind."""
    package = ROOT / "holysheep_helpers"
    named: set[str] = set()
    returned: set[str] = set()
    for name in ("diagnosis/evidence", "diagnosis/diagnose", "exceptions", "client/budget"):
        for node in ast.walk(ast.parse((package / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
            if isinstance(node, ast.Return):
                first = node.value.elts[0] if isinstance(node.value, ast.Tuple) else node.value
                for each in (
                    (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,)
                ):
                    if isinstance(each, ast.Constant) and isinstance(each.value, str):
                        returned.add(each.value)
    assert set(kinds.KINDS) <= named
    assert len(returned) > 25
    assert returned - {"", "none"} <= set(kinds.KINDS)
