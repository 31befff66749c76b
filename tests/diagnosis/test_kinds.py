"""The list of errors, and the page that is made of it."""

from __future__ import annotations

import ast
from collections.abc import Sequence

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
    assert whose == {"yours", "the gateway's", "the network's", "unknown"}
    for kind in kinds.KINDS.values():
        assert kind.what.endswith(".")
        assert kind.advice.endswith((".", "?"))
        assert not kind.other_model or kind.retryable or kind is kinds.KINDS["unknown_model"]


def test_the_list_is_closed_no_kind_is_idle_and_none_is_unlisted() -> None:
    """Every kind is named where errors are told apart, or has a code, a type or a status there;
    and what is returned there is a kind."""
    package = ROOT / "holysheep_helpers"
    tables = (kinds.KIND_OF_CODE, kinds.KIND_OF_TYPE, kinds.KIND_OF_STATUS)
    named = {name for table in tables for name in table.values()}
    returned: set[str] = set()
    for name in ("diagnosis/evidence", "diagnosis/diagnose", "exceptions", "client/spend"):
        for node in ast.walk(ast.parse((package / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named.add(node.value)
            said: Sequence[ast.expr | None] = ()
            if isinstance(node, ast.Return) and isinstance(node.value, ast.IfExp):
                said = [node.value.body, node.value.orelse]
            elif isinstance(node, ast.Return):
                said = [node.value]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_diagnosis":
                said = node.args[:1]
            texts = [each.value for each in said if isinstance(each, ast.Constant)]
            returned |= {text for text in texts if isinstance(text, str)}
    assert set(kinds.KINDS) <= named
    assert len(returned) > 30
    assert returned - {"", "none"} <= set(kinds.KINDS)


def test_a_code_a_type_and_a_status_stand_for_one_kind_each() -> None:
    """Codes are compared in lower case; one that is listed twice would count for the last alone."""
    for name, table in (
        ("codes", kinds.KIND_OF_CODE),
        ("types", kinds.KIND_OF_TYPE),
        ("statuses", kinds.KIND_OF_STATUS),
    ):
        listed = [one for kind in kinds.KINDS.values() for one in getattr(kind, name)]
        assert len(listed) == len(table) > 5
        assert all(str(one) == str(one).lower() for one in listed)
    assert not set(kinds.KIND_OF_CODE) & set(kinds.KIND_OF_TYPE)
