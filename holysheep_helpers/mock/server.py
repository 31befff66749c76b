"""Serving the mock: bound to a socket first, so that its address is known and open at once."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import uvicorn

from holysheep_helpers import catalog
from holysheep_helpers.mock.app import App
from holysheep_helpers.mock.asgi import DisconnectError
from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.state import State
from holysheep_helpers.mock.timing import Pacer


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
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock


def base_url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


def run(
    app: App, sock: socket.socket, ready: Callable[[uvicorn.Server], None] | None = None
) -> None:
    """Serve until the server is told to exit; ``ready`` gets it before the first request."""
    config = uvicorn.Config(
        app,
        loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=1,
    )
    # A dropped connection is raised through the server on purpose: no traceback for it.
    logging.getLogger("uvicorn.error").addFilter(_expected)
    server = uvicorn.Server(config)
    if ready is not None:
        ready(server)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[sock]))


@contextmanager
def serve(
    *,
    seed: int = 0,
    time_scale: float = 0.0,
    plan: str = "unlimited",
    keys: frozenset[str] | None = None,
    pacer: Pacer | None = None,
) -> Iterator[MockHandle]:
    """A mock inside this process, in a thread of its own; for tests. Gives its handle.

    ``time_scale`` 0 answers at once. ``pacer`` brings a clock and waits of your own. With ``keys``
    the handle's own key must be among them, or its calls are refused like anyone's.
    """
    state = State(seed=seed, time_scale=time_scale, plan=catalog.plans()[plan], keys=keys)
    sock = listen("127.0.0.1", 0)
    started: Future[uvicorn.Server] = Future()
    thread = threading.Thread(target=run, args=(App(state, pacer), sock, started.set_result))
    thread.start()
    handle = MockHandle(base_url(sock))
    try:
        yield handle
    finally:
        started.result().should_exit = True
        thread.join()
        handle.close()
        sock.close()


def _expected(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], DisconnectError))
