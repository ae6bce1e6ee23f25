"""A client of HTTP/2 that may break every rule: raw frames out, parsed frames in, and what a case expects of them.

It knows RFC 9113's framing and, through the package hpack, reads fields; it never writes any on its own.
"""

import contextlib
import socket
import ssl
import struct
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, HAS_PRIORITY = 0x4, 0x8, 0x20
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
CODES = """NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE_ERROR
REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR ENHANCE_YOUR_CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED""".split()
WAIT_SECONDS = 3


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """One frame; `length` lies about the payload."""
    length = len(payload) if length is None else length
    return struct.pack(">I", length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", key, value) for key, value in pairs))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", increment))


def rst(stream, code=8):
    return frame(RST_STREAM, stream=stream, payload=struct.pack(">I", code))


def integer(value, prefix_bits, first=0):
    """RFC 7541 section 5.1."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes([*out, value])


def literal(name, value, first=0x10):
    """A field as a literal that is never indexed, without Huffman's code; both may hold anything."""
    name, value = (text.encode("latin-1") if isinstance(text, str) else text for text in (name, value))
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(*fields):
    return b"".join(literal(name, value) for name, value in fields)


def get(path="/", method="GET", extra=(), scheme="https", authority="localhost"):
    """The block of a request that is right but for `extra`."""
    return block((":method", method), (":scheme", scheme), (":path", path), (":authority", authority), *extra)


def request(stream=1, fields=None, end=True):
    fields = get() if fields is None else fields
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, fields)


class Peer:
    """One connection."""

    def __init__(self, target, initial=(), preface=True):
        self.socket = connect(target)
        self.buffer = b""
        self.decoder = hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.events = []
        self.closed = False
        self.block = None
        self.remark = ""
        if preface:
            self.send(PREFACE + settings(*initial))

    def send(self, *frames):
        # What was sent before may have been refused; what comes then tells.
        with contextlib.suppress(OSError):
            self.socket.sendall(b"".join(frames))

    def close(self):
        self.socket.close()

    def until(self, condition, seconds=WAIT_SECONDS):
        """Reads until `condition(self)` holds, the server closes or time is up; returns the condition's value."""
        end = time.monotonic() + seconds
        while not (found := condition(self)) and not self.closed and (rest := end - time.monotonic()) > 0:
            self.receive(rest)
        return found or condition(self)

    def receive(self, seconds):
        self.socket.settimeout(max(seconds, 0.001))
        try:
            received = self.socket.recv(65536)
        except (TimeoutError, ssl.SSLWantReadError):
            return
        except OSError:
            received = b""
        self.closed = not received
        self.buffer += received
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                return
            kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
            payload, self.buffer = self.buffer[9 : 9 + length], self.buffer[9 + length :]
            self.on_frame(kind, flags, stream & 0x7FFFFFFF, payload)

    def on_frame(self, kind, flags, stream, payload):
        if kind == SETTINGS:
            if flags & ACK:
                return self.events.append(("settings_ack",))
            pairs = [struct.unpack_from(">HI", payload, at) for at in range(0, len(payload), 6)]
            self.events.append(("settings", dict(pairs)))
            return self.send(frame(SETTINGS, ACK))
        if kind == PING:
            return self.events.append(("pong", payload)) if flags & ACK else self.send(frame(PING, ACK, 0, payload))
        if kind == GOAWAY:
            last, code = struct.unpack_from(">II", payload)
            return self.events.append(("goaway", code, last, payload[8:]))
        if kind == RST_STREAM:
            return self.events.append(("rst", stream, struct.unpack(">I", payload)[0]))
        if kind == DATA:
            return self.events.append(("data", stream, len(payload), bool(flags & END_STREAM)))
        if kind in (HEADERS, CONTINUATION):
            start = payload if kind == HEADERS else b""
            self.block = (self.block or b"") + (start or payload)
            self.ends = flags & END_STREAM if kind == HEADERS else self.ends
            if flags & END_HEADERS:
                fields, self.block = self.decoder.decode(self.block), None
                self.events.append(("headers", stream, dict(fields), bool(self.ends)))

    def all(self, kind, *values):
        return [event for event in self.events if event[0] == kind and event[1 : 1 + len(values)] == values]

    def status(self, stream=1):
        heads = self.all("headers", stream)
        return heads[0][2].get(":status") if heads else None

    def bytes(self, stream=1):
        return sum(event[2] for event in self.all("data", stream))

    def ended(self, stream=1):
        return any(event[3] for event in self.all("headers", stream) + self.all("data", stream))

    def note(self, found, codes):
        if "PROTOCOL_ERROR" in found and "PROTOCOL_ERROR" not in codes:
            self.remark = f"PROTOCOL_ERROR for {' or '.join(codes)}"

    def seen(self):
        """What came, for the table."""
        parts = [f"GOAWAY {name(event[1])}" for event in self.all("goaway")]
        parts += [f"RST_STREAM {name(event[2])} on {event[1]}" for event in self.all("rst")]
        parts += [f"status {event[2].get(':status')} on {event[1]}" for event in self.all("headers")][:3]
        parts += ["pong"] if self.all("pong") else []
        parts = parts[:4] + (["…"] if len(parts) > 4 else [])
        return ", ".join(parts + ["closed" if self.closed else "open"])


def connect(target, alpn=("h2",), seconds=10):
    """A socket to `target`: host, port, and whether with TLS."""
    host, port, is_tls = target
    plain = socket.create_connection((host, port), seconds)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not is_tls:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    wrapped = context.wrap_socket(plain, server_hostname="localhost")
    assert wrapped.selected_alpn_protocol() == alpn[0], "the server does not speak HTTP/2"
    return wrapped


def name(code):
    return CODES[code] if code < len(CODES) else hex(code)


# What a case expects: each takes a peer that has sent everything, and returns what is wrong, if anything is. An error
# that ends what it should, but with the code PROTOCOL_ERROR where the RFC names a better one, is not: the peer notes it.


def connection_error(*codes):
    """RFC 9113 section 5.4.1: GOAWAY should say why, the connection must be closed."""

    def judge(peer):
        peer.until(lambda peer: peer.all("goaway"))
        found = {name(event[1]) for event in peer.all("goaway")}
        peer.note(found, codes)
        if found - {*codes, "PROTOCOL_ERROR"} or not peer.closed and not found:
            return f"expected GOAWAY {' or '.join(codes)}"
        # A server may leave it to the client for a moment to close.
        return None if peer.until(lambda peer: peer.closed, 5) else "expected a close after GOAWAY"

    return judge


def stream_error(*codes, stream=1):
    """RFC 9113 section 5.4.2; section 5.4 lets a server take it for a connection error."""

    def judge(peer):
        peer.until(lambda peer: peer.all("rst", stream) or peer.all("goaway"))
        found = {name(event[2]) for event in peer.all("rst", stream)} | {name(event[1]) for event in peer.all("goaway")}
        peer.note(found, codes)
        if found & {*codes, "PROTOCOL_ERROR"} or (not found and peer.closed):
            return None
        return f"expected RST_STREAM {' or '.join(codes)}"

    return judge


def malformed(stream=1):
    """RFC 9113 section 8.1.1: a stream error PROTOCOL_ERROR, and a server may answer before it."""

    def judge(peer):
        peer.until(lambda peer: peer.all("rst", stream) or peer.all("goaway") or peer.status(stream))
        if peer.status(stream) in ("400", "413", "431"):
            return None
        error = stream_error("PROTOCOL_ERROR", stream=stream)(peer)
        return error and f"{error}, or status 400"

    return judge


def answered(*statuses, stream=1):
    def judge(peer):
        peer.until(lambda peer: peer.ended(stream))
        if peer.status(stream) in (statuses or ("200",)) and peer.ended(stream):
            return None
        return f"expected status {' or '.join(statuses or ('200',))} on {stream}, and its end"

    return judge


def alive():
    """The connection goes on."""

    def judge(peer):
        peer.send(frame(PING, payload=b"are you?"))
        peer.until(lambda peer: ("pong", b"are you?") in peer.events)
        return None if ("pong", b"are you?") in peer.events else "expected the connection to go on"

    return judge


def gone():
    """The connection ends, with or without GOAWAY."""

    def judge(peer):
        return None if peer.until(lambda peer: peer.closed, 5) else "expected a close"

    return judge


def any_of(*judges):
    def judge(peer):
        wrong = [judge(peer) for judge in judges]
        return None if None in wrong else "; ".join(wrong)

    return judge
