"""The list of errors, and the page that is made of it."""

import holysheep_helpers as hs
from holysheep_helpers import errors_page, kinds
from tests.notebooks.test_keys import ROOT


def test_the_page_of_errors_is_up_to_date() -> None:
    stored = (ROOT / "docs" / "errors.md").read_text("utf-8")
    assert stored == errors_page.page(), "python -m holysheep_helpers.errors_page"
    assert list(hs.errors_table().index) == list(kinds.KINDS)


def test_whose_fault_is_one_of_four() -> None:
    whose = {kind.whose for kind in kinds.KINDS.values()}
    assert whose == {kinds.YOURS, kinds.GATEWAYS, kinds.LINES, kinds.UNKNOWN}
    for kind in kinds.KINDS.values():
        assert kind.what.endswith(".")
        assert kind.advice.endswith((".", "?"))
        assert not kind.other_model or kind.retryable or kind is kinds.KINDS["unknown_model"]
