"""A whole measurement in made-up time: the real SDK, its HTTP client, our stamps, the real mock.

Only the wire between them is made up: bytes go from one protocol to the other within the process,
so that no socket, thread or clock has a say in what is measured.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import httpx2
import openai

import holysheep_helpers as hs
from holysheep_helpers import catalog
from holysheep_helpers.client.chat import stream_arguments
from holysheep_helpers.latency.run import Measurement
from holysheep_helpers.latency.wire import WireLoop
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.faults import parse_script
from holysheep_helpers.mock.http import Application, Connection
from holysheep_helpers.mock.journal import as_dicts
from holysheep_helpers.mock.state import State
from holysheep_helpers.mock.stated import Stated
from holysheep_helpers.mock.timing import Pacer
from tests.support.pipe import Pipe
from tests.support.virtual import VirtualLoop

KEY = "hs-mock-virtual"


PROMPT = "Explain step by step how streaming works."


TTFT_S, ITL_S = 0.142, 0.0112


CONSTANT = Stated(TTFT_S, ITL_S)


Http = Literal["aiohttp", "httpx"]


class _Connecting(VirtualLoop):
    """Every connection leads to the ``app``, after ``connect_s``. TLS is real, where asked for."""

    app: Application
    proxied = False
    connect_s = 0.0
    connections = 0

    async def sock_connect(self, sock: Any, address: Any) -> None:
        await asyncio.sleep(self.connect_s)

    async def create_connection(self, *args: Any, **options: Any) -> Any:
        factory, sock, tls = args[0], options.get("sock"), options.get("ssl")
        if sock is None:  # the client leaves it to the loop to connect one
            await asyncio.sleep(self.connect_s)
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # nothing comes through it
        assert isinstance(self, VirtualWireLoop)
        self.connections += 1
        ours = Pipe(self, self.transit_s, self.bytes_per_s, sock)
        theirs = Pipe(self, self.transit_s)
        ours.other, theirs.other = theirs, ours
        if self.proxied:
            theirs.set_protocol(_Proxy(theirs, self))
        else:
            self.serve(theirs, tls is not None)
        client = factory()
        ours.set_protocol(client)
        above = await super().start_tls(ours, client, tls) if tls is not None else ours
        client.connection_made(above)
        return above, client

    def serve(self, transport: Pipe, tls: bool) -> None:
        """Let the app answer on this transport."""
        server = Connection(self.app, set())
        transport.set_protocol(server)
        if tls:
            self.served = self.create_task(self._serve_above_tls(transport, server))
        else:
            server.connection_made(transport)

    async def _serve_above_tls(self, transport: Pipe, server: Connection) -> None:
        context = unnamed(ssl.PROTOCOL_TLS_SERVER)
        above = await super().start_tls(transport, server, context, server_side=True)
        assert above is not None
        server.connection_made(above)


def unnamed(side: int) -> ssl.SSLContext:
    """TLS without certificates: both sides take each other for whom they are."""
    context = ssl.SSLContext(side)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # later versions want certificates
    context.set_ciphers("AECDH:@SECLEVEL=0")
    return context


class _Proxy(asyncio.Protocol):
    """A proxy that opens a tunnel to the app, which speaks TLS in it."""

    def __init__(self, transport: Pipe, loop: VirtualWireLoop) -> None:
        self._transport, self._loop = transport, loop

    def data_received(self, data: bytes) -> None:
        assert data.startswith(b"CONNECT ")
        self._transport.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._loop.serve(self._transport, tls=True)


class VirtualWireLoop(WireLoop, _Connecting):
    """A ``WireLoop`` in made-up time, with the mock at the other end of each connection."""

    def __init__(
        self,
        app: Callable[[Pacer], Application],
        *,
        connect_s: float = 0.0,
        transit_s: float = 0.0,
        bytes_per_s: float | None = None,
        step_s: float | None = None,
        proxied: bool = False,
    ) -> None:
        super().__init__()
        self.wire_clock = self.time if step_s is None else lambda: self.time() // step_s * step_s
        self.connect_s, self.transit_s, self.bytes_per_s = connect_s, transit_s, bytes_per_s
        self.proxied = proxied
        wall = lambda: 1_800_000_000.0 + self.time()  # noqa: E731
        self.app = app(Pacer(self.time, self.call_at, _cancel, wall))

    async def shutdown_asyncgens(self) -> None:
        await super().shutdown_asyncgens()
        await asyncio.sleep(1.0)  # what is still on its way arrives


def _cancel(timer: Any) -> None:
    timer.cancel()


def run_in(loop: VirtualWireLoop, main: Coroutine[Any, Any, Any]) -> Any:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main)


def client_of(
    http: Http = "aiohttp", base_url: str = "http://127.0.0.1:9/v1", **options: Any
) -> openai.AsyncOpenAI:
    """The SDK's client, on either of the HTTP clients that it brings, with these options."""
    kind = openai.DefaultAioHttpClient if http == "aiohttp" else httpx2.AsyncClient
    client = openai.AsyncOpenAI(
        api_key=KEY,
        base_url=base_url,
        max_retries=0,
        http_client=kind(trust_env=False, **options),
    )
    client._platform = "Unknown"  # else its first request would ask for it in a thread
    return client


class Wire:
    """A mock that measurements are made of, one after the other, each in a time of its own.

    ``stated`` are the mock's times: 142 ms and 11.2 ms unless given. ``loop`` are arguments of the
    loop; ``app`` stands in for the mock.
    """

    def __init__(
        self,
        stated: Stated = CONSTANT,
        *,
        app: Callable[[Pacer], Application] | None = None,
        slots: int | None = None,
        **loop: Any,
    ) -> None:
        self.state = State(plan=catalog.plans()["unlimited"], stated=stated, slots=slots)
        self._app = app or (lambda pacer: App(self.state, pacer))
        self._loop_options = loop
        self.loop: VirtualWireLoop

    def script(self, *faults: Any, **rule: Any) -> Wire:
        self.state.tenant(KEY).script = parse_script({"faults": list(faults), **rule})
        return self

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The mock's journal, as its clients see it."""
        return as_dicts(self.state.tenant(KEY).journal.entries)

    @property
    def truth(self) -> dict[str, list[float]]:
        """When the chunks of each reply left, in seconds since its request arrived."""
        return {entry["id"]: entry["sent_s"] for entry in self.entries}

    def new_loop(self) -> VirtualWireLoop:
        self.loop = VirtualWireLoop(self._app, **self._loop_options)
        return self.loop

    def measurement(
        self,
        runs: int = 3,
        *,
        http: Http = "aiohttp",
        client: Callable[[], openai.AsyncOpenAI] | None = None,
        prompt: str = PROMPT,
        parameters: dict[str, Any] | None = None,
        **options: Any,
    ) -> Measurement:
        arguments = {"max_tokens": 5, **(parameters or {})}
        request = stream_arguments(prompt, None, catalog.DEFAULT_MODEL, "general", arguments)
        return Measurement(
            client=client or (lambda: client_of(http)),
            requests=[request],
            runs=runs,
            loop_factory=self.new_loop,
            **{"warmup": 0, **options},
        )

    def measure(self, runs: int = 3, **options: Any) -> hs.LatencyRun:
        return self.measurement(runs, **options).run()
