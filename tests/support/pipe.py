"""A connection within the process: bytes go from one protocol to the other without a socket."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any


class Pipe(asyncio.Transport):
    """One end of a made-up connection. What is written comes out of the ``other`` end.

    It lets out so many ``bytes_per_s``, if that is given; then they travel for ``transit_s``. A
    ``sock`` is shown to whoever asks for one, and closed in the end.
    """

    _start_tls_compatible = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        transit_s: float = 0.0,
        bytes_per_s: float | None = None,
        sock: socket.socket | None = None,
    ) -> None:
        super().__init__({"peername": ("127.0.0.1", 9), "socket": sock})
        self._loop, self._socket = loop, sock
        self._transit_s, self._bytes_per_s = transit_s, bytes_per_s
        self._protocol: Any = None
        self.other: Pipe = self
        self._closing = self._lost = self._paused = self._full = False
        self._travelling: deque[Callable[[], None]] = deque()
        self._came: deque[Callable[[], None]] = deque()
        self._high, self._low = 64 * 1024, 16 * 1024  # as asyncio's own
        self._queued = 0
        self._free_s = 0.0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def write(self, data: Any) -> None:
        if self._closing or not data:
            return
        if self._bytes_per_s is None:
            self._send(bytes(data))
            return
        self._queued += len(data)
        self._free_s = max(self._free_s, self._loop.time()) + len(data) / self._bytes_per_s
        if self._queued > self._high and not self._full:
            self._full = True
            self._protocol.pause_writing()
        self._loop.call_at(self._free_s, self._gone, bytes(data))

    def _gone(self, data: bytes) -> None:
        self._queued -= len(data)
        self._send(data)
        if self._full and self._queued <= self._low:
            self._full = False
            self._protocol.resume_writing()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def get_write_buffer_size(self) -> int:
        return self._queued

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high = 64 * 1024 if high is None else high
        self._low = self._high // 4 if low is None else low

    def _send(self, data: bytes) -> None:
        self._tell(lambda: _fed(self.other._protocol, data))

    def _tell(self, what: Callable[[], None]) -> None:
        self.other._travelling.append(what)
        if self._transit_s:
            self._loop.call_later(self._transit_s, self.other._arrived)
        else:
            self._loop.call_soon(self.other._arrived)

    def _arrived(self) -> None:
        self._came.append(self._travelling.popleft())  # timers of one moment have no order
        self._read()

    def _read(self) -> None:
        while self._came and not self._paused and not self._lost:
            self._came.popleft()()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._loop.call_soon(self._read)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._end(self.other._came_to_its_end)

    def abort(self) -> None:
        self._end(lambda: self.other._lose(ConnectionResetError("reset, as asked for")))

    def _force_close(self, error: BaseException | None) -> None:
        self.abort()  # what asyncio's TLS calls from Python 3.13 on

    def _end(self, told: Callable[[], None]) -> None:
        if not self._closing:
            self._closing = True
            self._tell(told)
            self._loop.call_soon(self._lose, None)

    def _came_to_its_end(self) -> None:
        if not self._lost and not self._protocol.eof_received():
            self.close()

    def _lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            if self._socket is not None:
                self._socket.close()
            self._protocol.connection_lost(error)


def _fed(protocol: Any, data: bytes) -> None:
    if not isinstance(protocol, asyncio.BufferedProtocol):
        protocol.data_received(data)
        return
    while data:  # TLS is read into its own buffer
        with memoryview(protocol.get_buffer(len(data))) as room:
            taken = data[: len(room)]
            room[: len(taken)] = taken
        protocol.buffer_updated(len(taken))
        data = data[len(taken) :]
