"""A server inside the test's process, with its insides open to view."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from holysheep_helpers import catalog
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.server import Server, base_url, listen
from holysheep_helpers.mock.state import State, Tenant
from holysheep_helpers.mock.timing import Pacer


@contextmanager
def running(
    pacer: Pacer | None = None, *, time_scale: float = 0, **state: Any
) -> Iterator[tuple[MockHandle, Server]]:
    app = App(State(plan=catalog.plans()["unlimited"], time_scale=time_scale, **state), pacer)
    server, sock = Server(app), listen("127.0.0.1", 0)
    thread = Thread(target=server.run, args=(sock,))
    thread.start()
    try:
        yield MockHandle(base_url(sock)), server
    finally:
        server.stop()
        thread.join()
        sock.close()


def tenant_of(server: Server, mock: MockHandle) -> Tenant:
    return server.app.state.tenant(mock.api_key)
