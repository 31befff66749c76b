"""Prompt caching: how many tokens at the start of a prompt a key has sent before, by one rule.

The rule and its source are in the catalogue, for the models whose maker has published one: from so
many tokens on, in steps of so many. What was sent before follows arrival, as a script does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from hashlib import blake2b

from holysheep_helpers import catalog
from holysheep_helpers.catalog import tokens
from holysheep_helpers.mock.requests import ChatRequest

PREFIXES_KNOWN = 10_000
"""Of each key, at most; those not met for longest are forgotten first."""


class PromptCache:
    """The starts of the prompts that one key has sent."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def cached_tokens(self, request: ChatRequest) -> int:
        """How many tokens of this prompt come out of the cache; it is in the cache from now on."""
        cached = 0
        for count, prefix in _prefixes(request):
            if prefix in self._known:
                cached = count
            self._known[prefix] = None
            self._known.move_to_end(prefix)
        while len(self._known) > PREFIXES_KNOWN:
            self._known.popitem(last=False)
        return cached


def _prefixes(request: ChatRequest) -> Iterator[tuple[int, bytes]]:
    """Each start of the prompt that the rule of its model can cache: its tokens, and its digest."""
    rule = known.caching if (known := catalog.find(request.model)) else None
    if rule is None or request.prompt_tokens < rule.least_tokens:
        return
    digest = blake2b(request.model.encode("utf-8"), digest_size=16)
    for count, piece in enumerate(_pieces(request), 1):
        digest.update(piece.encode("utf-8", "surrogatepass") + b"\x00")
        if count >= rule.least_tokens and (count - rule.least_tokens) % rule.step_tokens == 0:
            yield count, digest.digest()


def _pieces(request: ChatRequest) -> Iterator[str]:
    for role, text in request.messages:
        yield from [role] * tokens.MESSAGE_FRAME
        yield from tokens.split(text)
