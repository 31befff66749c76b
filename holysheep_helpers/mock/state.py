"""What the mock remembers, apart for each key: counters, script, limits, slots, journal."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import IO

from holysheep_helpers.catalog import Plan
from holysheep_helpers.mock import LEARNERS_KEY
from holysheep_helpers.mock.faults import Script
from holysheep_helpers.mock.journal import Journal
from holysheep_helpers.mock.limits import Limits
from holysheep_helpers.mock.prompt_cache import PromptCache
from holysheep_helpers.mock.slots import Slots
from holysheep_helpers.mock.stated import AS_DRAWN, Stated

KEYS_KNOWN = 1000
REQUESTS_KNOWN = 50_000
"""Of each key, at most. Of more, those not asked for longest are forgotten, half of them at once:
asked again, they count as new."""


class Tenant:
    """Everything about one key.

    Replies and times are drawn for its ``name``, which is the key itself but for a kernel's own
    mock: that one's key is random. ``hash`` stands for it where the key must not show.
    """

    def __init__(
        self,
        key: str,
        plan: Plan,
        scale: float,
        file: IO[str] | None,
        slots: int | None = None,
        name: str | None = None,
    ) -> None:
        self.key = key
        self.name = name or key
        self.hash = key_hash(self.name)
        self.script = Script()
        self.limits = Limits(plan, scale)
        self.journal = Journal(file)
        self.slots = Slots(slots)
        self.prompts = PromptCache()
        self._asked: dict[bytes, int] = {}
        self._asked_before: dict[bytes, int] = {}
        self._open = 0
        self._settled: list[Callable[[], None]] = []

    @property
    def busy(self) -> bool:
        """Whether a request of this key is being answered."""
        return self._open > 0

    def nth(self, same: bytes) -> int:
        """How often this same request was asked before."""
        nth = self._asked.get(same)
        if nth is None:
            nth = self._asked_before.get(same, 0)
            if len(self._asked) >= REQUESTS_KNOWN // 2:
                self._asked_before, self._asked = self._asked, {}
        self._asked[same] = nth + 1
        return nth

    def opened(self) -> None:
        self._open += 1

    def closed(self) -> None:
        self._open -= 1
        if not self._open:
            waiting, self._settled = self._settled, []
            for call in waiting:
                call()

    def on_settled(self, call: Callable[[], None]) -> None:
        """Call once none of this key's requests is being answered any more."""
        self._settled.append(call)

    def off_settled(self, call: Callable[[], None]) -> None:
        """Do not call it any more."""
        if call in self._settled:
            self._settled.remove(call)


class State:
    """All keys of one mock. ``strangers`` stands for whoever asks without a right key.

    ``own_key`` is the random one of the kernel that the mock belongs to. ``names`` are those that
    the mock's computer has in the network, beside its addresses and ``localhost``.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        seed: int = 0,
        time_scale: float = 1.0,
        stated: Stated = AS_DRAWN,
        slots: int | None = None,
        keys: frozenset[str] | None = None,
        admin_token: str | None = None,
        own_key: str | None = None,
        names: Iterable[str] = (),
        journal_file: IO[str] | None = None,
    ) -> None:
        self.seed = seed
        self.time_scale = time_scale
        self.stated = stated
        self.slots = slots
        self.plan = plan
        self.keys = keys
        self.admin_token = admin_token
        self.own_key = own_key
        self.names = frozenset(name.lower() for name in names)
        self._journal_file = journal_file
        self._tenants: OrderedDict[str, Tenant] = OrderedDict()
        self.strangers = self._new("")

    def _new(self, key: str) -> Tenant:
        name = key
        if self.own_key and key.startswith(self.own_key):  # also one that ``apart`` made of it
            name = LEARNERS_KEY + key.removeprefix(self.own_key)
        return Tenant(key, self.plan, self.time_scale, self._journal_file, self.slots, name)

    def tenant(self, key: str) -> Tenant:
        known = self._tenants.get(key)
        if known is None:
            known = self._tenants[key] = self._new(key)
            if len(self._tenants) > KEYS_KNOWN:
                self._forget_one()
        else:
            self._tenants.move_to_end(key)
        return known

    def _forget_one(self) -> None:
        """Forget the key that was quiet for longest; none while all are being answered."""
        idle = next((tenant for tenant in self._tenants.values() if not tenant.busy), None)
        if idle is not None:
            self.forget(idle)

    def forget(self, tenant: Tenant) -> None:
        """Begin again with this key, as if it had never been seen.

        Who still waits for a slot has as many as the mock was started with.
        """
        tenant.slots.resize(self.slots)
        if tenant is self.strangers:
            self.strangers = self._new("")
        else:
            self._tenants.pop(tenant.key, None)

    def tenants(self) -> Iterable[Tenant]:
        return self._tenants.values()


def when_settled(tenants: list[Tenant], wait_s: float, call: Callable[[], None]) -> None:
    """Call once none of them is being answered, after ``wait_s`` real seconds at the latest."""
    busy = [tenant for tenant in tenants if tenant.busy]
    if not busy or not wait_s:
        call()
        return
    called = False

    def once() -> None:
        nonlocal called
        if not called:
            called = True
            timer.cancel()
            for tenant in busy:
                tenant.off_settled(settled)
            call()

    def settled() -> None:
        if not any(tenant.busy for tenant in busy):
            once()

    timer = asyncio.get_running_loop().call_later(wait_s, once)
    for tenant in busy:
        tenant.on_settled(settled)


def key_hash(key: str) -> str:
    return blake2b(key.encode("utf-8", "replace"), digest_size=4).hexdigest()


def digest(*parts: str, size: int = 12) -> bytes:
    return blake2b("\x00".join(parts).encode("utf-8"), digest_size=size).digest()
