"""What RFC 9113 and RFC 7541 demand of a server, one case each: what is sent, and what must come of it.

A case ends within seconds and opens one connection. `ROOT` is a short file, `/large` one of a megabyte.
"""

import struct

from peer import *  # noqa: F403: the words of the cases

CASES = []


def case(section, title, expected, **options):
    """Registers a function that sends; it may return what is wrong, which counts too."""

    def register(function):
        CASES.append((section, title, function, expected, options))

    return register


def sends(section, title, expected, *frames, **options):
    case(section, title, expected, **options)(lambda peer: peer.send(*frames))


PROTOCOL, CLOSED, SIZE, FLOW, COMPRESSION = (
    "PROTOCOL_ERROR",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "FLOW_CONTROL_ERROR",
    "COMPRESSION_ERROR",
)
OPEN = request(end=False, fields=get(method="POST", path="/echo"))
HELD = [(INITIAL_WINDOW_SIZE, 0)]  # An answer with a body cannot end.

# Section 3: the preface.


@case("3.4", "begins with SETTINGS, and acknowledges ours", alive())
def _(peer):
    peer.until(lambda peer: peer.all("settings") and peer.all("settings_ack"))
    return None if peer.events and peer.events[0][0] == "settings" else "the first frame was not SETTINGS"


@case("3.4", "a preface that is none", gone(), preface=False, only_tls=True)
def _(peer):
    peer.send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + settings())


@case("3.4", "a preface without SETTINGS", connection_error(PROTOCOL), preface=False)
def _(peer):
    peer.send(PREFACE + frame(PING, payload=bytes(8)))


@case("3.4", "a preface in single bytes", answered(), preface=False)
def _(peer):
    for byte in PREFACE + settings():
        peer.send(bytes([byte]))
    peer.send(request())


# Section 4: frames.

sends("4.1", "a frame of unknown type", alive(), frame(0xB7, 0xFF, 0, b"x" * 20), frame(0xB7, 0xFF, 99, b""))
sends("4.1", "undefined flags", answered(), frame(HEADERS, 0xC7 & ~0x2 | END_HEADERS | END_STREAM, 1, get()))
sends("4.1", "the reserved bit before a stream's number", answered(), frame(HEADERS, 5, 0x80000001, get()))
sends("4.2", "an unknown frame of 16,384 bytes", alive(), frame(0xB7, 0, 0, bytes(16384)))


def too_large(title, expected, frames):
    """`frames` makes them of the number of bytes that is one more than the server allows."""

    @case("4.2", f"{title} too large", expected)
    def _(peer):
        peer.until(lambda peer: peer.all("settings"))
        peer.send(frames(peer.all("settings")[0][1].get(MAX_FRAME_SIZE, 16384) + 1))


too_large("DATA that is", stream_error(SIZE), lambda size: OPEN + frame(DATA, 0, 1, bytes(size)))
too_large("HEADERS that are", connection_error(SIZE), lambda size: frame(HEADERS, 5, 1, get() + literal("a", "b" * size)))
too_large("SETTINGS that are", connection_error(SIZE), lambda size: frame(SETTINGS, 0, 0, bytes(6 * (size // 6 + 1))))
too_large("an unknown frame that is", connection_error(SIZE), lambda size: frame(0xB7, 0, 0, bytes(size)))
sends("4.3", "PRIORITY inside a field block", connection_error(PROTOCOL),
      frame(HEADERS, END_STREAM, 1, get()), frame(PRIORITY, 0, 1, bytes(5)), frame(CONTINUATION, END_HEADERS, 1))
sends("4.3", "HEADERS of another stream inside a block", connection_error(PROTOCOL),
      frame(HEADERS, END_STREAM, 1, get()), request(3))
sends("4.3", "an unknown frame inside a block", connection_error(PROTOCOL),
      frame(HEADERS, END_STREAM, 1, get()), frame(0xB7, 0, 1), frame(CONTINUATION, END_HEADERS, 1))

# RFC 7541: what cannot be decompressed is a connection error (RFC 9113, section 4.3).


def undecodable(section, title, payload):
    sends(section, title, connection_error(COMPRESSION), request(fields=payload))


undecodable("4.3", "a truncated block", get()[:-3])
undecodable("H.6.1", "index 0", get() + b"\x80")
undecodable("H.2.3.3", "an index beyond both tables", get() + b"\xff\x7f")
undecodable("H.5.1", "an integer without end", get() + b"\xff" + b"\xff" * 20 + b"\x7f")
undecodable("H.5.2", "a string longer than the block", get() + b"\x10\x7f\xff\x7fab")
undecodable("H.5.2", "Huffman's code with its end symbol", get() + b"\x10\x01a\x84\xff\xff\xff\xff")
undecodable("H.5.2", "Huffman's code padded with zeros", get() + b"\x10\x01a\x81\x00")
undecodable("H.5.2", "Huffman's code padded with a byte", get() + b"\x10\x01a\x82\x1f\xff")
undecodable("H.6.3", "a table larger than allowed", integer(1 << 20, 5, 0x20) + get())
undecodable("H.4.2", "a table resized after a field", get() + b"\x20")
sends("H.4.2", "a table resized before the first field", answered(), request(fields=b"\x20\x3f\xe1\x1f" + get()))
sends("H.2.3.2", "a field from the dynamic table", answered(stream=3),
      request(1, get() + literal("x-a", "b", 0x40)), request(3, get() + b"\xbe"))
sends("H.4.1", "an entry larger than the table empties it", connection_error(COMPRESSION),
      request(1, get() + literal("x-a", "b", 0x40)), request(3, get() + literal("x-a", "b" * 5000, 0x40) + b"\xbe"))

# Section 5: streams.

for kind, frames in {
    "DATA": frame(DATA, 1, 1, b"x"),
    "RST_STREAM": rst(1),
    "WINDOW_UPDATE": window_update(1, 1),
    "CONTINUATION": frame(CONTINUATION, END_HEADERS, 1, get()),
}.items():
    sends("5.1", f"{kind} on an idle stream", connection_error(PROTOCOL), frames)
sends("5.1", "PRIORITY on an idle stream", answered(stream=3), frame(PRIORITY, 0, 1, bytes(4) + b"\x10"), request(3))
sends("5.1", "DATA after END_STREAM", stream_error(CLOSED), request(), frame(DATA, 1, 1, b"x"), initial=HELD)
sends("5.1", "HEADERS after END_STREAM", stream_error(CLOSED), request(), request(), initial=HELD)
sends("5.1", "CONTINUATION after END_STREAM", connection_error(PROTOCOL, CLOSED),
      request(), frame(CONTINUATION, END_HEADERS, 1, get()), initial=HELD)
sends("5.1", "DATA after our RST_STREAM", stream_error(CLOSED), OPEN, rst(1), frame(DATA, 0, 1, b"x"))
sends("5.1", "HEADERS after our RST_STREAM", stream_error(CLOSED, PROTOCOL), OPEN, rst(1), request())


def after_the_answer(title, expected, *frames):
    @case("5.1", title, expected)
    def _(peer):
        peer.send(request())
        peer.until(lambda peer: peer.ended())
        peer.events = [event for event in peer.events if event[0] != "headers"]
        peer.send(*frames)


after_the_answer("DATA on a closed stream", stream_error(CLOSED), frame(DATA, 1, 1, b"x"))
after_the_answer("HEADERS on a closed stream", connection_error(CLOSED, PROTOCOL), request())
after_the_answer("WINDOW_UPDATE on a closed stream", alive(), window_update(1, 1))
after_the_answer("RST_STREAM on a closed stream", alive(), rst(1))
after_the_answer("PRIORITY on a closed stream", alive(), frame(PRIORITY, 0, 1, bytes(5)))
sends("5.1.1", "a stream of an even number", connection_error(PROTOCOL), request(2))
sends("5.1.1", "a stream of a lower number", connection_error(PROTOCOL, CLOSED), request(5), request(3))


@case("5.1.2", "one stream more than allowed", lambda peer: None, initial=HELD)
def _(peer):
    peer.until(lambda peer: peer.all("settings"))
    most = peer.all("settings")[0][1].get(MAX_CONCURRENT_STREAMS)
    if most is None or most > 1000:
        return f"allows {most or 'any number of'} streams"
    last = 2 * most + 1
    peer.send(*(request(stream) for stream in range(1, last + 1, 2)))
    return stream_error("REFUSED_STREAM", PROTOCOL, stream=last)(peer)


sends("5.3.2", "PRIORITY of 4 bytes", stream_error(SIZE), OPEN, frame(PRIORITY, 0, 1, bytes(4)))
sends("5.5", "an unknown setting", answered(), settings((0xFF, 1)), request())

# Section 6: each frame.

sends("6.1", "DATA on stream 0", connection_error(PROTOCOL), frame(DATA, 0, 0, b"x"))
sends("6.1", "DATA with more padding than payload", connection_error(PROTOCOL), OPEN, frame(DATA, PADDED, 1, b"\x05abcd"))
sends("6.1", "padded DATA without a length", connection_error(SIZE, PROTOCOL), OPEN, frame(DATA, PADDED, 1))
sends("6.1", "padded DATA", answered(), OPEN, frame(DATA, PADDED | END_STREAM, 1, b"\x03abc\0\0\0"))
sends("6.2", "HEADERS on stream 0", connection_error(PROTOCOL), request(0))
sends("6.2", "HEADERS with more padding than payload", connection_error(PROTOCOL),
      frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, b"\xff" + get()))
sends("6.2", "HEADERS with padding and priority", answered(),
      frame(HEADERS, END_HEADERS | END_STREAM | PADDED | HAS_PRIORITY, 1, b"\x02" + bytes(5) + get() + bytes(2)))
sends("6.3", "PRIORITY on stream 0", connection_error(PROTOCOL), frame(PRIORITY, 0, 0, bytes(5)))
sends("6.4", "RST_STREAM on stream 0", connection_error(PROTOCOL), rst(0))
sends("6.4", "RST_STREAM of 3 bytes", connection_error(SIZE), OPEN, frame(RST_STREAM, 0, 1, bytes(3)))
sends("6.5", "SETTINGS of a stream", connection_error(PROTOCOL), frame(SETTINGS, 0, 1))
sends("6.5", "SETTINGS of 3 bytes", connection_error(SIZE), frame(SETTINGS, 0, 0, bytes(3)))
sends("6.5", "an acknowledgement with settings", connection_error(SIZE), frame(SETTINGS, ACK, 0, bytes(6)))
sends("6.5.2", "ENABLE_PUSH 2", connection_error(PROTOCOL), settings((ENABLE_PUSH, 2)))
sends("6.5.2", "INITIAL_WINDOW_SIZE 2^31", connection_error(FLOW), settings((INITIAL_WINDOW_SIZE, 1 << 31)))
sends("6.5.2", "MAX_FRAME_SIZE 16,383", connection_error(PROTOCOL), settings((MAX_FRAME_SIZE, 16383)))
sends("6.5.2", "MAX_FRAME_SIZE 2^24", connection_error(PROTOCOL), settings((MAX_FRAME_SIZE, 1 << 24)))
sends("6.5.3", "the last of a setting's values counts", answered(),
      settings((INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 65535)), request())
sends("6.6", "PUSH_PROMISE from a client", connection_error(PROTOCOL), OPEN,
      frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + get()))
sends("6.7", "a PING is echoed", alive())
sends("6.7", "an acknowledgement nobody waits for", alive(), frame(PING, ACK, 0, b"unasked!"))
sends("6.7", "PING of a stream", connection_error(PROTOCOL), frame(PING, 0, 1, bytes(8)))
sends("6.7", "PING of 7 bytes", connection_error(SIZE), frame(PING, 0, 0, bytes(7)))
sends("6.8", "GOAWAY of a stream", connection_error(PROTOCOL), frame(GOAWAY, 0, 1, bytes(8)))
sends("6.8", "GOAWAY lets open streams end", answered(), request(), frame(GOAWAY, 0, 0, bytes(8)))
sends("6.9", "WINDOW_UPDATE 0 of the connection", connection_error(PROTOCOL), window_update(0, 0))
sends("6.9", "WINDOW_UPDATE 0 of a stream", stream_error(PROTOCOL), OPEN, window_update(1, 0))
sends("6.9", "WINDOW_UPDATE of 3 bytes", connection_error(SIZE), frame(WINDOW_UPDATE, 0, 0, bytes(3)))
sends("6.9.1", "a window of the connection beyond 2^31-1", connection_error(FLOW), window_update(0, 0x7FFFFFFF))
sends("6.9.1", "a window of a stream beyond 2^31-1", stream_error(FLOW), OPEN, window_update(1, 0x7FFFFFFF))
sends("6.9.2", "a setting that takes windows beyond 2^31-1", connection_error(FLOW),
      OPEN, window_update(1, 0x7FFF0000), settings((INITIAL_WINDOW_SIZE, 0x7FFFFFFF)))
sends("6.10", "CONTINUATION on stream 0", connection_error(PROTOCOL),
      frame(HEADERS, END_STREAM, 1, get()[:9]), frame(CONTINUATION, END_HEADERS, 0, get()[9:]))
sends("6.10", "CONTINUATION after the end of the block", connection_error(PROTOCOL, CLOSED),
      request(), frame(CONTINUATION, END_HEADERS, 1, get()), initial=HELD)
sends("6.10", "a block in four parts", answered(), frame(HEADERS, END_STREAM, 1, get()[:1]), frame(CONTINUATION, 0, 1),
      frame(CONTINUATION, 0, 1, get()[1:20]), frame(CONTINUATION, END_HEADERS, 1, get()[20:]))


@case("6.9.1", "a window of 1 is filled byte by byte", answered(), initial=[(INITIAL_WINDOW_SIZE, 1)])
def _(peer):
    peer.send(request())
    for count in range(1, 4):
        peer.until(lambda peer: peer.bytes() >= count)
        if peer.bytes() > count:
            return f"{peer.bytes()} bytes into a window of {count}"
        peer.send(window_update(1, 1))
    peer.send(window_update(1, 1 << 20))


@case("6.9.2", "a window grows with the setting", answered(), initial=HELD)
def _(peer):
    peer.send(request())
    peer.until(lambda peer: peer.bytes(), 0.5)
    if peer.bytes():
        return "DATA into a window of 0"
    peer.send(settings((INITIAL_WINDOW_SIZE, 1 << 20)))


@case("6.9.2", "a window may become negative", lambda peer: None)
def _(peer):
    peer.send(settings((INITIAL_WINDOW_SIZE, 1000)), request(fields=get("/large")))
    peer.until(lambda peer: peer.bytes() >= 1000)
    peer.send(settings((INITIAL_WINDOW_SIZE, 10)), window_update(1, 500))
    peer.until(lambda peer: peer.bytes() > 1000, 0.5)
    if peer.bytes() != 1000:
        return f"{peer.bytes()} bytes into a window that is used up"
    peer.send(window_update(1, 500))
    peer.until(lambda peer: peer.bytes() > 1000)
    return None if peer.bytes() == 1010 else f"{peer.bytes()} bytes where 1010 were allowed"


@case("6.9", "the window of the connection counts for all streams", lambda peer: None,
      initial=[(INITIAL_WINDOW_SIZE, 1 << 24)])
def _(peer):
    peer.send(request(1, get("/large")), request(3, get("/large")))
    count = lambda peer: peer.bytes(1) + peer.bytes(3)
    peer.until(lambda peer: count(peer) > 65535, 1)
    if count(peer) != 65535:
        return f"{count(peer)} bytes into a window of 65,535"
    peer.send(window_update(0, 1 << 24))
    return answered(stream=1)(peer) or answered(stream=3)(peer)


@case("4.2", "DATA never larger than allowed", answered(),
      initial=[(INITIAL_WINDOW_SIZE, 1 << 24), (MAX_FRAME_SIZE, 16384)])
def _(peer):
    peer.send(window_update(0, 1 << 24), request(fields=get("/large")))
    peer.until(lambda peer: peer.ended())
    most = max((event[2] for event in peer.all("data")), default=0)
    return f"DATA of {most} bytes" if most > 16384 else None


sends("7", "unknown codes in RST_STREAM and GOAWAY", answered(stream=3),
      OPEN, rst(1, 0xFFFF), request(3), frame(GOAWAY, 0, 0, bytes(4) + b"\0\0\xff\xff"))

# Section 8: requests.


def refused(section, title, *fields, start=None):
    """A request with `fields` after those that are right; or with nothing but `start`."""
    payload = get(extra=fields) if start is None else start
    sends(section, title, malformed(), request(fields=payload))


M, S, P, A = (":method", "GET"), (":scheme", "https"), (":path", "/"), (":authority", "localhost")
refused("8.2.1", "a name in upper case", ("X-A", "b"))
refused("8.2.1", "an empty name", ("", "b"))
for what, char in {"NUL": "\0", "CR": "\r", "LF": "\n", "a space": " ", "a colon": ":", "DEL": "\x7f"}.items():
    refused("8.2.1", f"{what} in a name", (f"x{char}a", "b"))
for what, char in {"NUL": "\0", "CR": "\r", "LF": "\n"}.items():
    refused("8.2.1", f"{what} in a value", ("x-a", f"a{char}b"))
    refused("8.2.1", f"{what} in the path", start=block(M, S, (":path", f"/{char}a"), A))
refused("8.2.1", "a value that begins with a space", ("x-a", " b"))
refused("8.2.1", "a value that ends with a tab", ("x-a", "b\t"))
for field in ("connection", "keep-alive", "proxy-connection", "upgrade", "transfer-encoding"):
    refused("8.2.2", f"the field {field}", (field, "chunked" if "transfer" in field else "x"))
refused("8.2.2", "TE with more than trailers", ("te", "trailers, deflate"))
sends("8.2.2", "TE with trailers", answered(), request(fields=get(extra=[("te", "trailers")])))
sends("8.2.3", "cookies in several fields", answered(), request(fields=get(extra=[("cookie", "a=b"), ("cookie", "c=d")])))
refused("8.3", "an unknown pseudo-field", start=block(M, S, P, A, (":other", "b")))
refused("8.3", ":status in a request", start=block(M, S, P, A, (":status", "200")))
refused("8.3", "a pseudo-field after a field", start=block(M, S, ("x-a", "b"), P, A))
for twice in (M, S, P, A):
    refused("8.3", f"{twice[0]} twice", start=block(M, S, P, A, twice))
for missing in (M, S, P):
    refused("8.3.1", f"no {missing[0]}", start=block(*(field for field in (M, S, P, A) if field != missing)))
refused("8.3.1", "an empty path", start=block(M, S, (":path", ""), A))
refused("8.3.1", "a path without a slash", start=block(M, S, (":path", "a"), A))
refused("8.3.1", "an authority with a user", start=block(M, S, P, (":authority", "user@localhost")))
refused("8.3.1", "Host unlike :authority", ("host", "other.example"))
refused("8.3.1", "two hosts", start=block(M, S, P, ("host", "a.test"), ("host", "b.test")))
sends("8.3.1", "Host in place of :authority", answered(), request(fields=block(M, S, P, ("host", "localhost"))))
refused("8.5", "CONNECT with a path", start=block((":method", "CONNECT"), S, P, A))
refused("8.1.1", "content-length without content", ("content-length", "1"))
refused("8.1.1", "content-length that is no number", ("content-length", "+0"))
LENGTH_5 = request(end=False, fields=get("/echo", "POST", [("content-length", "5")]))
sends("8.1.1", "less content than content-length", malformed(), LENGTH_5, frame(DATA, 1, 1, b"abc"))
sends("8.1.1", "more content than content-length", malformed(), LENGTH_5, frame(DATA, 1, 1, b"abcdefg"))
sends("8.1.1", "two lengths", malformed(),
      request(end=False, fields=get("/echo", "POST", [("content-length", "1"), ("content-length", "2")])), frame(DATA, 1, 1, b"a"))
sends("8.1", "as much content as content-length", answered(), LENGTH_5, frame(DATA, 1, 1, b"abcde"))
sends("8.1", "trailers", answered(), OPEN, frame(DATA, 0, 1, b"abc"), request(fields=block(("x-a", "b"))))
sends("8.1", "a second block without END_STREAM", malformed(), OPEN, frame(DATA, 0, 1, b"a"), request(fields=block(("x-a", "b")), end=False))
sends("8.1", "a pseudo-field in trailers", malformed(), OPEN, frame(DATA, 0, 1, b"a"), request(fields=block(M)))
sends("8.1", "content in 200 frames, some of them empty", answered(), OPEN,
      *(frame(DATA, 0, 1, b"ab" if index % 10 else b"") for index in range(200)), frame(DATA, 1, 1))
sends("8.1", "HEAD", answered(), request(fields=get(method="HEAD")))
