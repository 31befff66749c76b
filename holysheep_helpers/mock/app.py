"""The application: who may ask, and what is answered."""

from __future__ import annotations

import re
import sys
from hmac import compare_digest
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers._checks import is_address
from holysheep_helpers.exceptions import InputError
from holysheep_helpers.mock import ADMIN_VARIABLE, MOCK_PREFIX, slots, wire
from holysheep_helpers.mock.exchange import Exchange, Request
from holysheep_helpers.mock.faults import from_header, parse_script
from holysheep_helpers.mock.journal import Entry, as_dicts
from holysheep_helpers.mock.replies import answers
from holysheep_helpers.mock.requests import parse, unknown_model
from holysheep_helpers.mock.state import State, Tenant, digest, key_hash, when_settled
from holysheep_helpers.mock.strict_json import parse_json
from holysheep_helpers.mock.timeline import Timeline, of_error
from holysheep_helpers.mock.timing import Pacer
from holysheep_helpers.mock.turn import Reply, Turn
from holysheep_helpers.mock.verdict import verdict
from holysheep_helpers.mock.wire import WireError

CHAT = "/v1/chat/completions"
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^][:%]+)(:[0-9]+)?")  # RFC 3986, 3.2: name, then port
CORS = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "*"),
]
PREFLIGHT = (
    ("access-control-allow-methods", "GET, POST, OPTIONS"),
    ("access-control-max-age", "600"),
)


class App:
    """The mock's answers; the ``pacer`` brings the time."""

    def __init__(self, state: State, pacer: Pacer | None = None) -> None:
        self.state = state
        self.pacer = pacer or Pacer()

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer one request, now or later."""
        if request.path.startswith("/v1/") and b"origin" in request.headers:
            exchange.extra = CORS
        try:
            self._route(request, exchange)
        except WireError as error:
            exchange.send_json(error.status, error.body(), error.headers)

    def refuse(self, status: int, message: str, exchange: Exchange) -> None:
        """Answer what could not be read as a request."""
        error = WireError(status, message)
        exchange.send_json(status, error.body())

    def _route(self, request: Request, exchange: Exchange) -> None:
        path = request.path
        if path == CHAT and request.method == "POST":
            self._chat(request, exchange)
        elif path.startswith("/v1/") and request.method == "OPTIONS":
            asked = request.header(b"access-control-request-headers") or "authorization"
            allowed = ("access-control-allow-headers", asked)
            exchange.send(204, (allowed, *PREFLIGHT), b"")
        elif path == CHAT:
            _allow(request.method, "POST")
        elif path == "/v1/models" or path.startswith("/v1/models/"):
            _allow(request.method, "GET")
            self._key(request)
            exchange.send_json(200, _models(path.removeprefix("/v1/models").removeprefix("/")))
        elif path.startswith("/mock/"):
            self._admin(request, exchange, path.removeprefix("/mock/"))
        else:
            near = "" if path.startswith("/v1/") else " Is /v1 missing from the base URL?"
            message = f"Unknown request URL: {request.method} {path}.{near}"
            raise WireError(404, message, code="unknown_url")

    def _key(self, request: Request) -> str:
        given = request.header(b"authorization")
        if given is None:
            raise WireError(
                401,
                "You didn't provide an API key. You need to provide your API key in an "
                "Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
                code="invalid_api_key",
            )
        scheme, _, key = given.partition(" ")
        allowed = self.state.keys
        known = key in allowed if allowed is not None else key.startswith(MOCK_PREFIX)
        if scheme.lower() != "bearer" or not known:
            shown = key[:3] + "*" * 8 if len(key) > 12 else "*" * 8
            message = f"Incorrect API key provided: {shown}. A mock takes the keys that it issued."
            raise WireError(401, message, code="invalid_api_key")
        return key

    def _chat(self, request: Request, exchange: Exchange) -> None:
        entry = Entry(arrived_s=self.pacer.clock(), attempt=_attempt(request))
        tenant = self.state.strangers
        refused = False
        try:
            tenant = self._tenant(request, entry)
            line = self._answer(request, tenant, entry)
        except WireError as error:
            line, refused = _refused(error, tenant, entry), True
        tenant.journal.begin(entry)
        turn = Turn(self.pacer, exchange, entry, line, tenant)
        if refused:
            turn.play()
        else:
            turn.work()

    def _tenant(self, request: Request, entry: Entry) -> Tenant:
        """Whose request this is. Raises ``WireError`` (401) if the key is unknown."""
        try:
            tenant = self.state.tenant(self._key(request))
        except WireError:
            entry.key = key_hash((request.header(b"authorization") or "").removeprefix("Bearer "))
            entry.same = _fingerprint(request)
            raise
        entry.key = tenant.hash
        return tenant

    def _answer(self, request: Request, tenant: Tenant, entry: Entry) -> Timeline:
        """The reply to a request with a right key. Raises ``WireError`` where it is refused."""
        state = self.state
        try:
            asked = parse(request.body)
        except WireError:
            entry.same = _fingerprint(request)
            raise
        same = digest(str(state.seed), tenant.name, asked.canonical)
        same_hex = same.hex()
        entry.same, entry.model, entry.stream = same, sys.intern(asked.model), asked.stream
        entry.prompt_tokens = asked.prompt_tokens
        carried = request.header(b"x-mock-fault")
        fault = from_header(carried) if carried is not None else None
        limits = tenant.limits.admit(
            asked.model, asked.counted_tokens, entry.arrived_s, self.pacer.wall
        )
        nth = tenant.nth(same)
        own = digest(same_hex, str(nth))
        name = own.hex()  # seed, key, request and how-manieth: nothing else decides on the reply
        entry.own = own
        if carried is None:
            fault = tenant.script.next(name, asked.model)
        entry.fault = fault.kind if fault is not None else None
        reply = Reply(
            request=asked,
            answers=answers(asked, nth),
            id=entry.id,
            created=wire.CREATED + int(name[:5], 16),
            headers=(("x-request-id", f"req_{name}"), *limits),
            scale=state.time_scale,
            stated=state.stated,
            own=own,
            new_connection=request.nth_on_connection == 0,
            prompts=tenant.prompts,
        )
        line = reply.timeline(fault)
        if request.header(b"x-mock-headers") == "early" and line.length is None:
            line.head_at_s = 0.0
        return line

    # What the mock says of itself, at /mock/...

    def _admin(self, request: Request, exchange: Exchange, what: str) -> None:
        if what == "script":
            target = self._one_target(request)
            target.script = parse_script(parse_json(request.body))
            exchange.send_json(200, {"queued": len(target.script.faults)})
        elif what == "slots":
            target = self._one_target(request)
            target.slots.resize(_slots(parse_json(request.body)))
            exchange.send_json(200, {"slots": target.slots.count})
        elif what == "journal" and request.method == "DELETE":
            for tenant in self._targets(request):
                self.state.forget(tenant)
            exchange.send_json(200, [])
        elif what in ("journal", "verdict"):
            _allow(request.method, *(["GET", "DELETE"] if what == "journal" else ["GET"]))
            targets = self._targets(request)

            def send() -> None:
                found = as_dicts(entry for tenant in targets for entry in tenant.journal.entries)
                exchange.send_json(200, found if what == "journal" else verdict(found))

            when_settled(targets, _settle_s(request), send)
        else:
            message = "At /mock/ there are script, slots, journal and verdict."
            raise WireError(404, message, code="unknown_url")

    def _one_target(self, request: Request) -> Tenant:
        """The key that this POST steers. Raises ``WireError``: 400 for several."""
        _allow(request.method, "POST")
        targets = self._targets(request)
        if len(targets) != 1:
            raise WireError(400, "Scripts and slots are for one key alone.", param="key")
        return targets[0]

    def _targets(self, request: Request) -> list[Tenant]:
        """The keys that this request may see and steer: its own, or those that ``key`` names.

        Raises ``WireError``: 403 for other keys without the admin token.
        """
        is_admin = self._is_admin(request)
        named = request.query.get("key")
        if named is None:
            return [self.state.tenant(self._key(request))]
        if not is_admin:
            raise _admin_only("the request asks for other keys' data")
        every = [*self.state.tenants(), self.state.strangers]
        found = [tenant for tenant in every if named in ("*", tenant.hash)]
        if not found:
            raise WireError(404, f"No key with the hash {named!r} has asked yet.", param="key")
        return found

    def _is_admin(self, request: Request) -> bool:
        """Whether this request carries the mock's admin token.

        Raises ``WireError`` (403) for a wrong token, and for what a web page from elsewhere may
        have made a browser send: to be on this computer proves nothing.
        """
        token, given = self.state.admin_token, request.header(b"x-mock-admin")
        host, origin = request.header(b"host"), request.header(b"origin")
        own = f"://{host}".lower()  # without a host no origin is the mock's own
        if origin is not None and not (host and origin.lower() in (f"http{own}", f"https{own}")):
            message = f"A web page of {origin[:100]!r} asked. Only the mock's own pages may."
            raise WireError(403, message, code="foreign_origin")
        if given is not None:
            right = (token or "").encode("utf-8")
            if token is None or not compare_digest(given.encode("latin-1"), right):
                raise _admin_only("the token that was sent is wrong")
            return True
        if request.header(b"sec-fetch-site") not in (None, "none", "same-origin", "same-site"):
            raise _admin_only("a web page of another site asked")
        if host is not None and not self._is_own_name(host):
            raise _admin_only(f"it was asked as {host[:100]!r}, a name that --name did not give")
        return False

    def _is_own_name(self, host: str) -> bool:
        """Whether a ``Host`` header has an address, localhost, or a name that was given."""
        found = HOST.fullmatch(host.lower())
        name = found[1].strip("[]") if found else ""
        return name == "localhost" or name in self.state.names or is_address(name)


def _admin_only(why: str) -> WireError:
    return WireError(
        403,
        "This needs the mock's admin token, in the header x-mock-admin (the mock takes it from "
        f"{ADMIN_VARIABLE}): {why}.",
        code="admin_only",
    )


def _models(name: str) -> dict[str, Any]:
    if not name:
        return wire.models_body()
    known = catalog.find(name)
    if known is None:
        raise unknown_model(name)
    return wire.model_body(known, name)


def _refused(error: WireError, tenant: Tenant, entry: Entry) -> Timeline:
    """An error as a reply that leaves at once, with an id like any other."""
    request = entry.same.hex()[:16]
    nth = tenant.nth(digest("refused", request))
    entry.own = digest("refused", entry.key, request, str(nth))
    error.headers = (("x-request-id", f"req_{entry.own.hex()}"), *error.headers)
    return of_error(error, 0.0)


def _fingerprint(request: Request) -> bytes:
    """What stands for a request that could not be read: the same bytes have the same one."""
    return digest(request.body.decode("utf-8", "replace"), size=8)


def _slots(body: Any) -> int | None:
    """The number in ``{"slots": 4}``; ``null`` there is no limit."""
    if not isinstance(body, dict) or list(body) != ["slots"]:
        message = 'An object is needed that has slots alone: {"slots": 4}, or null for no limit.'
        raise WireError(400, message, param="slots")
    try:
        return slots.checked(body["slots"])
    except InputError as error:
        raise WireError(400, str(error), param="slots") from None


def _settle_s(request: Request) -> float:
    asked = request.query.get("settle_s", "0")
    try:
        wait_s = float(asked)
    except ValueError:
        wait_s = -1.0
    if not 0 <= wait_s <= 60:
        raise WireError(400, f"settle_s is {asked!r}: seconds, 0 to 60.", param="settle_s")
    return wait_s


def _allow(method: str, *allowed: str) -> None:
    if method not in allowed:
        message = f"Not allowed: {method}. Use {' or '.join(allowed)}."
        headers = (("allow", ", ".join(allowed)),)
        raise WireError(405, message, code="method_not_allowed", headers=headers)


def _attempt(request: Request) -> int:
    text = request.header(b"x-stainless-retry-count")
    if text is None:
        return 0
    return int(text) if text.isdecimal() and len(text) < 4 else 0
