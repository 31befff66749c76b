"""An address that can't be right is told, with the cure."""

from __future__ import annotations

from typing import Any

import pytest

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_loopback
from holysheep_helpers.diagnosis.config import checked_url
from holysheep_helpers.exceptions import ConfigurationError


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (catalog.BASE_URL, catalog.BASE_URL),
        (f" {catalog.BASE_URL}/ ", catalog.BASE_URL),
        ("https://example.com/openai/v1beta/", "https://example.com/openai/v1beta"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://localhost/v1", "http://localhost/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    ],
)
def test_a_right_address_is_used_without_its_last_slash(given: str, used: str) -> None:
    assert checked_url(given, "base_url", plain_http=False) == used


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (5, "is a int"),
        ("", "is no address"),
        ("api.holysheep.ai/v1", "begins with https://"),
        ("ftp://example.com/v1", "begins with https://"),
        ("https:///v1", "is no address"),
        ("https://example.com:port/v1", "is no address"),
        ("https://[::1/v1", "is no address"),
        ("https://me:secret@example.com/v1", "carries a user name"),
        ("https://example.com/v1?key=secret", "carries a user name, a query"),
        ("https://example.com/v1#x", "or a fragment"),
        ("https://api.holysheep.ai", "Use 'https://api.holysheep.ai/v1'"),
        ("https://api.holysheep.ai/", "Use 'https://api.holysheep.ai/v1'"),
        ("https://api.holysheep.ai/video", "without the API's version"),
        (f"{catalog.BASE_URL}/chat/completions", f"Use '{catalog.BASE_URL}'"),
        ("http://api.holysheep.ai/v1", "Use https://"),
        ("http://192.168.0.7:8000/v1", "over plain http the key would be readable"),
        ("http://127.0.0.1.example.com/v1", "over plain http"),
    ],
)
def test_a_wrong_one_is_told_with_its_cure(given: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_url(given, "HOLYSHEEP_BASE_URL", plain_http=False)
    assert says in str(caught.value)
    assert "HOLYSHEEP_BASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_mocks_key_may_go_to_a_named_host_in_plain_http() -> None:
    url = "http://192.168.0.7:8000/v1"
    assert checked_url(url, "base_url", plain_http=True) == url


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1"])
def test_this_computer(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "192.168.0.1", "localhost.example.com", "127.1.x"])
def test_other_computers(host: str) -> None:
    assert not is_loopback(host)
