"""Serving the mock: bound to a socket first, so that its address is known and open at once."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import socket
from collections.abc import Callable

import uvicorn

from holysheep_helpers.mock.app import App, Disconnect


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; ``port`` 0 is any free one. Raises ``OSError`` if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where reuse would share the port
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


def run(app: App, sock: socket.socket, ready: Callable[[uvicorn.Server], None]) -> None:
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
    ready(server)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[sock]))


def _expected(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], Disconnect))
