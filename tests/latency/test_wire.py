"""Stamps at the socket: the wire's time, the client's, and that of a new connection, each apart."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, get_args

import pytest

from holysheep_helpers.latency.wire import Probe, probe
from tests.support.virtual_wire import ITL_S, TTFT_S, Http, Wire, client_of, run_in, unnamed

HTTP = get_args(Http)


SECURE = "https://127.0.0.1:9/v1"


def close(value: Any) -> Any:
    return pytest.approx(value, abs=1.1e-6)


# --- the client's own time, and the network's


@pytest.mark.parametrize("http", HTTP)
def test_what_the_client_adds_before_and_after_is_not_put_down_to_the_wire(http: Http) -> None:
    async def before(_: Any) -> None:
        await asyncio.sleep(0.050)

    async def after(_: Any) -> None:
        await asyncio.sleep(0.007)

    hooks = {"request": [before], "response": [after]}
    wire = Wire()
    run = wire.measure(2, client=lambda: client_of(http, event_hooks=hooks))
    for stream in run.runs:
        assert stream.ttft_s == close(TTFT_S)
        assert stream.client_before_s == close(0.050)
        assert stream.client_after_s == close(0.007)
        assert stream.client_s == close(0.057)
        assert stream.user_ttft_s == close(TTFT_S + 0.057)
        assert stream.itl_s == close(ITL_S)


@pytest.mark.parametrize("http", HTTP)
def test_a_new_connection_is_named_and_its_time_is_apart(http: Http) -> None:
    wire = Wire(connect_s=0.060)
    first, second = wire.measure(2, http=http).runs
    assert (first.new_connection, second.new_connection) == (True, False)
    assert (first.connect_s, second.connect_s) == (close(0.060), 0.0)
    for stream in (first, second):
        assert stream.ttft_s == close(TTFT_S)
        assert stream.client_s == close(0.0)
    assert first.e2e_s == close(second.e2e_s + 0.060)


@pytest.mark.parametrize("http", HTTP)
def test_the_network_between_is_part_of_what_the_wire_took(http: Http) -> None:
    wire = Wire(transit_s=0.030)
    for stream in wire.measure(2, http=http).runs:
        assert stream.ttft_s == close(TTFT_S + 0.060)
        assert stream.itl_s == close(ITL_S)
        assert stream.client_s == close(0.0)


@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize("kilobytes", [5, 60, 200])
def test_a_long_prompt_is_sent_when_its_last_byte_has_left(kilobytes: int, http: Http) -> None:
    """The transport takes it all at once, but the network lets it out slowly."""
    wire = Wire(bytes_per_s=100_000.0, transit_s=0.001)
    (stream,) = wire.measure(1, prompt="word " * (200 * kilobytes), http=http).runs
    assert stream.ttft_s == close(TTFT_S + 0.002)
    assert stream.client_before_s == pytest.approx(kilobytes / 100, abs=0.01)


# --- TLS, and a proxy before it


def secure(**options: Any) -> Any:
    return client_of(base_url=SECURE, verify=unnamed(ssl.PROTOCOL_TLS_CLIENT), **options)


def test_stamps_are_made_above_tls_and_its_handshake_is_connecting() -> None:
    wire = Wire(connect_s=0.050, transit_s=0.010)
    first, second = wire.measure(2, client=secure).runs
    assert first.connect_s == close(0.050 + 4 * 0.010)  # twice there and back
    assert second.connect_s == 0.0
    for stream in (first, second):
        assert [text.at_s for text in stream.texts] == close(
            [(stream.sent_s or 0) + TTFT_S + 0.020 + n * ITL_S for n in range(5)]
        )
        assert (stream.chunks, stream.finish_reason, stream.output_tokens) == (8, "length", 5)
        assert stream.client_s == close(0.0)
        assert stream.notes == ()


def test_what_a_proxy_says_first_is_no_part_of_the_reply() -> None:
    wire = Wire(connect_s=0.050, transit_s=0.010, proxied=True)
    first, second = wire.measure(2, client=lambda: secure(proxy="http://127.0.0.1:8")).runs
    assert first.connect_s == close(0.050 + 2 * 0.010 + 4 * 0.010)  # to the proxy, and through it
    assert (first.new_connection, second.new_connection) == (True, False)
    for stream in (first, second):
        assert stream.ttft_s == close(TTFT_S + 0.020)
        assert stream.itl_s == close(ITL_S)
        assert (stream.chunks, stream.finish_reason, stream.output_tokens) == (8, "length", 5)
        assert stream.client_s == close(0.0)


def test_only_the_bytes_of_the_reply_are_kept() -> None:
    loop = Wire(proxied=True).new_loop()
    own = Probe()

    async def ask() -> None:
        probe.set(own)
        async with secure(proxy="http://127.0.0.1:8") as client:
            await client.models.list()

    run_in(loop, ask())
    reply = b"".join(piece for _, piece in own.reads)
    assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reply.count(b"HTTP/1.1") == 1
    assert reply.endswith(b"}]}")


# --- the order of stamps and work


class Slow:
    """A transport and a protocol in one, whose every call takes a second of ``now_s``."""

    now_s = 0.0

    def work(self, *_: Any, **__: Any) -> None:
        self.now_s += 1.0

    write = writelines = data_received = resume_writing = work

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        assert high > low == 0


def test_a_request_is_stamped_before_it_is_handed_over_and_bytes_before_they_are_read() -> None:
    loop = Wire().new_loop()
    slow = Slow()
    loop.wire_clock = lambda: slow.now_s
    own = Probe()

    async def ask() -> None:
        probe.set(own)
        loop._connected(slow, slow)
        sent = []
        for call in (slow.write, slow.writelines):
            call([b"request"])
            sent.append(own.sent_s)
        slow.data_received(b"reply")
        slow.data_received(bytearray(b"more"))
        assert (sent, own.reads) == ([0.0, 1.0], [(2.0, b"reply"), (3.0, b"more")])

    run_in(loop, ask())


# --- what is not measured is left alone


@pytest.mark.parametrize("http", HTTP)
def test_requests_without_a_probe_pass_through(http: Http) -> None:
    loop = Wire().new_loop()

    async def ask() -> int:
        async with client_of(http) as client:
            return len((await client.models.list()).data)

    assert run_in(loop, ask()) > 3


def test_a_probe_that_saw_no_connection_spent_no_time_on_one() -> None:
    assert Probe().connect_s == 0.0
    assert Probe(connect_began_s=3.0).connect_s == 0.0  # it failed
    assert Probe(connect_began_s=3.0, connect_ended_s=5.0).connect_s == 2.0
