"""Serving the mock: bound to a socket first, so that its address is known and open at once."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import secrets
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from holysheep_helpers import catalog
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.http import IDLE_S, Connection
from holysheep_helpers.mock.slots import checked
from holysheep_helpers.mock.state import State
from holysheep_helpers.mock.stated import Stated
from holysheep_helpers.mock.timing import Pacer

BACKLOG = 1024
GRACE_S = 1.0
"""How long replies in flight may still take when the server is told to stop."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; ``port`` 0 is any free one. Raises ``OSError`` if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform == "win32":  # there, reuse would share the port with another server
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def base_url(sock: socket.socket) -> str:
    """Where a listening socket is asked; of one that listens everywhere, as others reach it."""
    host, port = sock.getsockname()[:2]
    if host == "0.0.0.0":
        host = own_address() or host
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def own_address() -> str | None:
    """This computer's address in its network, or ``None`` if it is in none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(
                ("192.0.2.1", 9)
            )  # set aside for documentation (RFC 5737): it has no owner
        except OSError:
            return None
        return probe.getsockname()[0]


class Server:
    """Serves one application on a socket until it is told to stop, from any thread."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = threading.Event()
        self._stop: asyncio.Event | None = None

    @property
    def open_connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def stop(self, *_: object) -> None:
        """End soon: replies in flight have a second to come to their end."""
        self._told.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(stop.set)

    def run(self, sock: socket.socket) -> None:
        """Serve until ``stop`` is called."""
        factory: Callable[[], asyncio.AbstractEventLoop] | None = None
        if importlib.util.find_spec("uvloop"):
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(self._serve(sock))

    async def _serve(self, sock: socket.socket) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        if self._told.is_set():
            return
        server = await self._loop.create_server(
            lambda: Connection(self.app, self._connections), sock=sock, backlog=BACKLOG
        )
        sweeper = self._loop.create_task(self._sweep())
        await self._stop.wait()
        sweeper.cancel()
        server.close()
        await self._close_connections()

    async def _sweep(self) -> None:
        """Close connections that have been quiet for long."""
        while True:
            await asyncio.sleep(IDLE_S / 15)
            for connection in list(self._connections):
                connection.close_if_quiet(asyncio.get_running_loop().time())

    async def _close_connections(self) -> None:
        for hard in (False, True):
            for connection in list(self._connections):
                connection.stop(hard=hard)
            for _ in range(20):
                if not self._connections:
                    return
                await asyncio.sleep(GRACE_S / 20)


@contextmanager
def serve(
    *,
    seed: int = 0,
    time_scale: float = 0.0,
    ttft_s: float | None = None,
    itl_s: float | None = None,
    slots: int | None = None,
    plan: str = "unlimited",
    keys: frozenset[str] | None = None,
    pacer: Pacer | None = None,
) -> Iterator[MockHandle]:
    """A mock inside this process, in a thread of its own; for tests. Gives its handle.

    ``time_scale`` 0 answers at once. ``ttft_s`` and ``itl_s`` state the time to first token and
    the time between tokens for every model, exactly and at any scale. ``slots`` is how many
    requests of a key are worked on at once. ``pacer`` brings a clock and timers of your own. With
    ``keys`` the handle's own key must be among them, or its calls are refused like anyone's.

    Raises ``InputError`` for a time that is none from 0 to 3600 s, or slots from 1 to 10,000.
    """
    state = State(
        seed=seed,
        time_scale=time_scale,
        stated=Stated(ttft_s, itl_s),
        slots=checked(slots),
        plan=catalog.plans()[plan],
        keys=keys,
        admin_token=secrets.token_urlsafe(16),
    )
    server = Server(App(state, pacer))
    sock = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=(sock,), name="holysheep mock")
    thread.start()
    handle = MockHandle(base_url(sock), admin_token=state.admin_token)
    try:
        yield handle
    finally:
        server.stop()
        thread.join()
        handle.close()
        sock.close()
