"""HTTP itself, over a bare socket: what odd, broken and hostile clients send."""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress

import pytest

from holysheep_helpers.mock.handle import MockHandle
from holysheep_helpers.mock.http import AHEAD, BODY_LIMIT, HEAD_LIMIT
from holysheep_helpers.mock.server import serve
from tests.support import raw
from tests.support.sockets import STALL, chat, dial

LIST = b"GET /v1/models HTTP/1.1\r\nAuthorization: Bearer hs-mock-http\r\n"


def talk(mock: MockHandle, *sent: bytes) -> bytes:
    """What comes back until the server closes; the last thing sent must make it close."""
    with dial(mock) as sock:
        for data in sent:
            sock.sendall(data)
        received = b""
        while more := sock.recv(65536):
            received += more
    return received


def statuses(received: bytes) -> list[int]:
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+) [A-Z]", received)]


LAST = LIST + b"Connection: close\r\n\r\n"


def test_requests_sent_ahead_are_answered_in_order(mock: MockHandle) -> None:
    received = talk(mock, chat(prompt="one") + chat(prompt="two", stream=True) + LAST)
    assert statuses(received) == [200, 200, 200]
    places = [received.index(text) for text in (b"one", b"chat.completion.chunk", b'"owned_by"')]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "request_",
    [
        b"what?\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT host:1 HTTP/1.1\r\nHost: host\r\n\r\n",
        b"GET /v1/\x00 HTTP/1.1\r\n\r\n",
        chat(b"Content-Length: 3\r\n"),
        chat(b"Transfer-Encoding: chunked\r\n"),
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=lambda sent: repr(sent[:24]),
)
def test_what_is_no_request_gets_one_400_and_the_connection_closes(
    mock: MockHandle, request_: bytes
) -> None:
    with dial(mock) as sock:
        sock.sendall(request_ + LAST)  # the rest is not read as a request
        received = sock.recv(65536)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(65536) == b""
    assert statuses(received) == [400]
    assert b"connection: close" in received
    assert set(json.loads(received.partition(b"\r\n\r\n")[2])) == {"error"}


def test_a_broken_request_does_not_cost_the_reply_before_it() -> None:
    with serve(time_scale=1, pacer=raw.at_once()) as mock, dial(mock) as sock:
        sock.sendall(chat(stream=True) + b"what?\r\n\r\n")
        received = b""
        while b"This is no HTTP request." not in received:
            received += sock.recv(65536)
    assert statuses(received) == [200, 400]
    assert b"data: [DONE]" in received


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"x" * HEAD_LIMIT + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * HEAD_LIMIT,
        b"GET / HTTP/1.1\r\na: " + b"x" * HEAD_LIMIT * 9,
        b"\r\n" * HEAD_LIMIT,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * HEAD_LIMIT * 9,
    ],
    ids=["address", "many lines", "an endless line", "empty lines", "a chunk's extension"],
)
def test_a_head_has_its_bounds(mock: MockHandle, head: bytes) -> None:
    with dial(mock) as sock:
        sock.sendall(head)
        assert statuses(sock.recv(65536)) == [431]


def test_a_head_in_small_pieces_is_read(mock: MockHandle) -> None:
    assert statuses(talk(mock, *(bytes([byte]) for byte in LAST))) == [200]


def test_a_body_too_large_is_refused_while_it_comes(mock: MockHandle) -> None:
    with dial(mock) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"%x\r\n%b\r\n" % (BODY_LIMIT // 8, b" " * (BODY_LIMIT // 8))
        for _ in range(10):
            sock.sendall(piece)
        assert statuses(sock.recv(65536)) == [413]


def test_a_body_in_chunks_is_read(mock: MockHandle) -> None:
    content = json.dumps(raw.body()).encode()
    head = chat(content=b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    pieces = b"".join(b"1;extension\r\n%c\r\n" % byte for byte in content)
    assert statuses(talk(mock, head + pieces + b"0\r\nTrailer: x\r\n\r\n" + LAST)) == [200, 200]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Origin: http://evil.example", "Origin: http://{own}"),
        ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: none"),
        ("Host: evil.example", "Host: {own}"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_header_that_comes_twice_or_behind_the_body_hides_none(
    mock: MockHandle, first: str, second: str, turned: bool
) -> None:
    own = mock.base_url.split("/")[2]
    pair = [line.format(own=own).encode("ascii") for line in (first, second)]
    host = "" if first.startswith("Host") else f"Host: {own}\r\n"
    rest = f"{host}Authorization: Bearer {mock.api_key}\r\nConnection: close".encode("ascii")
    lines = b"\r\n".join([rest, *(pair[::-1] if turned else pair)])
    asked = b"GET /mock/journal HTTP/1.1\r\n%b\r\n\r\n" % lines
    assert statuses(talk(mock, asked)) == [403]
    head = b"\r\n".join([b"POST /mock/script HTTP/1.1", rest, pair[0]])
    asked = head + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n%b\r\n\r\n"
    assert statuses(talk(mock, asked % pair[1])) == [403]


def test_an_upgrade_is_not_taken_up_and_the_request_answered(mock: MockHandle) -> None:
    """As Java's HttpClient asks over plain http; a server may ignore it (RFC 9110, 7.8)."""
    wanted = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAA\r\n"
    asked = chat(wanted, prompt="upgrade me")
    received = talk(mock, (LIST + wanted + b"\r\n") * 3 + asked[:-5], asked[-5:] + LAST)
    assert statuses(received) == [200] * 5
    assert b"upgrade me" in received
    in_chunks = asked.replace(b"Content-Length", b"Transfer-Encoding: chunked\r\nX-Was")
    with dial(mock) as sock:
        sock.sendall(in_chunks)
        assert statuses(sock.recv(65536)) == [400]


def test_a_client_of_http_1_0(mock: MockHandle) -> None:
    whole = talk(mock, chat(version=b"1.0"))
    assert b"connection: close" in whole
    kept = talk(mock, chat(b"Connection: keep-alive\r\n", version=b"1.0") + LAST)
    assert statuses(kept) == [200, 200]
    assert b"\r\nconnection: keep-alive\r\n" in kept
    stream = talk(mock, chat(b"Connection: keep-alive\r\n", version=b"1.0", stream=True))
    assert b"chunked" not in stream
    assert stream.endswith(b"data: [DONE]\n\n")


def test_a_client_that_waits_to_be_told_to_go_on(mock: MockHandle) -> None:
    head, _, content = chat(b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    with dial(mock) as sock:
        sock.sendall(head + b"\r\n\r\n")
        assert sock.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(content + LAST)
        received = b""
        while more := sock.recv(65536):
            received += more
    assert statuses(received) == [200, 200]


def test_the_address_in_absolute_form(mock: MockHandle) -> None:
    """As a client sends it through a proxy; a server must take it (RFC 9112, 3.2.2)."""
    assert statuses(talk(mock, LAST.replace(b"/v1", b"http://host:8/v1"))) == [200]


@pytest.mark.parametrize("target", [b"*", b"/v1/%2e%2e/mock/journal", b"/v1//models", b"http://"])
def test_other_addresses_lead_nowhere(mock: MockHandle, target: bytes) -> None:
    assert statuses(talk(mock, LAST.replace(b"/v1/models", target))) == [404]


def test_a_reply_without_a_body_states_no_length(mock: MockHandle) -> None:
    preflight = b"OPTIONS /v1/models HTTP/1.1\r\nOrigin: http://a\r\n\r\n"
    received = talk(mock, preflight + LAST)
    assert statuses(received) == [204, 200]
    assert b"content-length" not in received.partition(b"\r\n\r\n")[0]


def test_head_has_no_body(mock: MockHandle) -> None:
    assert statuses(talk(mock, LAST.replace(b"GET", b"HEAD"))) == [405]
    assert talk(mock, LAST.replace(b"GET", b"HEAD")).endswith(b"\r\n\r\n")


def test_who_sends_far_ahead_of_the_replies_is_cut_off(mock: MockHandle) -> None:
    with dial(mock) as sock:
        sock.sendall(chat(STALL) + (LIST + b"\r\n") * (AHEAD + 1))
        with suppress(ConnectionResetError):  # if it came before all was read
            assert sock.recv(1) == b""
