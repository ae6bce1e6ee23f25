"""What an attacker sends: floods, bombs and silence. A server must end or bound each, and go on serving others.

Every load is bounded in count and time. What it costs the server is its resident memory, where its process is known.
"""

import concurrent.futures
import socket
import struct
import time

from peer import *  # noqa: F403: the words of the cases

CASES = []
# 1,000 streams at most are open at once, and each may hold 64 KiB.
MEMORY_MIB_MAX = 64


def abuse(title):
    """Registers a function of a target; it returns what is wrong, and what was seen."""

    def register(function):
        CASES.append((title, function))

    return register


def flood(title, frames, before=(), seconds=10, must_end=False):
    """Sends `frames` again and again for a while, reading what comes; it must not cost memory."""

    @abuse(title)
    def _(target):
        peer = Peer(target)
        peer.send(*before)
        sent, end = 0, time.monotonic() + seconds
        while sent < FLOOD_BYTES and time.monotonic() < end:
            chunk = frames(sent) if callable(frames) else frames * 64
            try:
                peer.socket.settimeout(2)
                peer.socket.sendall(chunk)
            except OSError:
                # Refused, or the server has stopped reading.
                break
            sent += len(chunk)
            peer.receive(0.0001)
            if peer.closed or peer.all("goaway"):
                break
        peer.until(lambda peer: peer.all("goaway"), 0.5)
        ended = peer.closed or bool(peer.all("goaway"))
        seen = f"{sent >> 10} KiB sent, {peer.seen()}"
        peer.close()
        return ("expected the server to end it" if must_end and not ended else None), seen


FLOOD_BYTES = 8 << 20
STREAM = request(end=False, fields=get("/echo", "POST"))
flood("pings, each of which asks for an answer", frame(PING, payload=bytes(8)))
flood("settings, each of which asks for an answer", settings())
flood("settings with 2,730 values each", settings(*[(INITIAL_WINDOW_SIZE, 65535)] * 2730))
flood("empty DATA on one stream", frame(DATA, 0, 1), before=[STREAM])
flood("priorities of idle streams", lambda sent: b"".join(
    frame(PRIORITY, 0, 2 * (sent // 14 + index) + 1, bytes(4) + b"\x10") for index in range(500)))
flood("window updates of a byte", window_update(0, 1))
flood("frames of unknown type", frame(0xB7, 0, 0, bytes(1000)))
flood("CONTINUATION without end", frame(CONTINUATION, 0, 1, literal("x-a", "b" * 100) * 50),
      before=[frame(HEADERS, END_STREAM, 1, get())], must_end=True)
flood("empty CONTINUATION without end", frame(CONTINUATION, 0, 1), before=[frame(HEADERS, END_STREAM, 1, get())], must_end=True)


def streams(second):
    """Streams that end as soon as they begin, numbered on."""
    state = {"next": 1}

    def frames(sent):
        if sent == 0:
            state["next"] = 1
        first = state["next"]
        state["next"] += 200
        return b"".join(request(first + 2 * index, get("/large")) + second(first + 2 * index) for index in range(100))

    return frames


flood("rapid reset: requests that are cancelled at once", streams(rst), must_end=True)
flood("requests whose windows are made to overflow", streams(lambda stream: window_update(stream, 0x7FFFFFFF)), must_end=True)
flood("requests that are malformed", lambda sent, made=streams(lambda stream: b""): made(sent).replace(b":path", b":qath"), must_end=True)


@abuse("a bomb: one entry of the table, named 16,000 times")
def _(target):
    peer = Peer(target)
    peer.send(request(1, get() + literal("x-a", "b" * 3900, 0x40)))
    peer.until(lambda peer: peer.ended())
    peer.send(request(3, get() + b"\xbe" * 16000))
    error = any_of(malformed(3), stream_error("ENHANCE_YOUR_CALM", "REFUSED_STREAM", stream=3))(peer)
    return error, peer.seen()


@abuse("fields of 512 KiB in one request")
def _(target):
    peer = Peer(target)
    field = literal("x-a", "b" * 16000)
    peer.send(frame(HEADERS, END_STREAM, 1, get()), *(frame(CONTINUATION, 0, 1, field) for _ in range(32)))
    peer.send(frame(CONTINUATION, END_HEADERS, 1))
    error = any_of(malformed(), connection_error("ENHANCE_YOUR_CALM", "PROTOCOL_ERROR", "COMPRESSION_ERROR"))(peer)
    return error, peer.seen()


@abuse("100 megabytes asked for and never read")
def _(target):
    peer = Peer(target, initial=[(INITIAL_WINDOW_SIZE, 0x7FFFFFFF)])
    peer.send(window_update(0, 0x7FFF0000 - 65535), *(request(2 * index + 1, get("/large")) for index in range(100)))
    time.sleep(3)
    return None, "held for 3 s"


@abuse("1,000 megabytes asked for on 10 connections with windows of 0")
def _(target):
    peers = [Peer(target, initial=[(INITIAL_WINDOW_SIZE, 0)]) for _ in range(10)]
    for peer in peers:
        peer.send(*(request(2 * index + 1, get("/large")) for index in range(100)))
    time.sleep(2)
    return None, "held for 2 s"


# Silence: each must be let go when the time limits of the server are over.


def connections_that_fall_silent(target):
    """Pairs of a title and a function that opens a connection and stops at some point."""
    raw = lambda: socket.create_connection(target[:2], 10)
    hello = bytes.fromhex("160301020001000001fc0303") + bytes(100)

    def sent(*frames, **options):
        def open_one():
            peer = Peer(target, **options)
            peer.send(*frames)
            return peer.socket

        return open_one

    def partly():
        silent = raw()
        silent.sendall(hello)
        return silent

    if target[2]:
        yield "no handshake", raw
        yield "half a ClientHello", partly
    yield "no preface", sent(preface=False)
    yield "half a preface", sent(PREFACE[:10], preface=False)
    yield "a preface without SETTINGS", sent(PREFACE, preface=False)
    yield "no request", sent()
    yield "a field block without end", sent(frame(HEADERS, END_STREAM, 1, get()[:20]))
    yield "a request without the content it announced", sent(
        request(end=False, fields=get("/echo", "POST", [("content-length", "5")])))
    yield "a window that is never opened", sent(request(), initial=[(INITIAL_WINDOW_SIZE, 0)])
    yield "no request, but a ping each second", sent()


def check_silence(target, seconds):
    """Yields each title with what is wrong and what was seen; all wait at once."""

    def wait(title, open_one):
        started = time.monotonic()
        try:
            silent = open_one()
        except OSError as error:
            return f"cannot connect: {error}", ""
        silent.settimeout(1)
        while (waited := time.monotonic() - started) < seconds:
            try:
                if "ping" in title:
                    silent.sendall(frame(PING, payload=bytes(8)))
                if not silent.recv(65536):
                    return None, f"closed after {waited:.1f} s"
            except TimeoutError:
                continue
            except OSError:
                return None, f"closed after {waited:.1f} s"
        return f"still open after {seconds} s", ""

    named = list(connections_that_fall_silent(target))
    with concurrent.futures.ThreadPoolExecutor(len(named)) as pool:
        waits = [(title, pool.submit(wait, title, open_one)) for title, open_one in named]
        for title, result in waits:
            yield (f"silence: {title}", *result.result())


def resident_mib(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4 / 1024


def check(target, pid):
    """Yields each title with what is wrong and what was seen."""
    for title, function in CASES:
        before = resident_mib(pid) if pid else 0
        try:
            wrong, seen = function(target)
        except (OSError, struct.error, AssertionError) as error:
            wrong, seen = f"{type(error).__name__}: {error}", ""
        grown = resident_mib(pid) - before if pid else 0
        seen += f"; {grown:+.1f} MiB" if pid else ""
        if grown > MEMORY_MIB_MAX:
            wrong = wrong or f"memory grew by {grown:.0f} MiB, expected at most {MEMORY_MIB_MAX}"
        peer = None
        try:
            peer = Peer(target)
            peer.send(request())
            wrong = wrong or answered()(peer) and "others are not served any more"
        except OSError as error:
            wrong = wrong or f"others cannot connect any more: {error}"
        if peer:
            peer.close()
        yield title, wrong, seen
