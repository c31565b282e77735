"""How messages look on the wire."""

from http import HTTPStatus

from proctor_harness.adapter.messages import Headers

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer "
    b"transfer-encoding upgrade".split()
)
FRAMING = HOP_BY_HOP | {b"content-length"}
"""What each side writes anew, because it depends on how the body is sent."""

BODILESS = frozenset({204, 304})
"""Statuses whose responses have no body and no length."""

CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def status_line(status: int) -> bytes:
    """The first line of a response."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def header_lines(headers: Headers, without: frozenset[bytes]) -> bytes:
    """Header lines, less those named."""
    return b"".join([b"%b: %b\r\n" % pair for pair in headers if pair[0] not in without])


def chunk(content: bytes) -> bytes:
    """One chunk of a body whose length is not known beforehand."""
    return b"%x\r\n%b\r\n" % (len(content), content)
