"""How one exchange can break on the wire, as bytes that come, or do not."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["BREAKS", "Break"]


@dataclass(frozen=True, slots=True)
class Break:
    """What happens to one exchange. `is_done`: the service is asked all the same.

    `send` gets the service's status line and headers, its body, and how to write; what it leaves out never comes. When
    it returns the connection is closed, reset, or kept silent for ever.
    """

    send: Callable[[bytes, bytes, Callable[[bytes], None]], None] = lambda _head, _body, _write: None
    is_done: bool = True
    end: str = "close"  # or "reset", "hang"


Line = Callable[[bytes], None]


def _half(head: bytes, body: bytes, write: Line) -> None:
    write(head + body[: len(body) // 2])


def _head_only(head: bytes, _body: bytes, write: Line) -> None:
    write(head)


def _too_long_announced(head: bytes, body: bytes, write: Line) -> None:
    write(_announcing(head, len(body) + 100) + body)


def _too_short_announced(head: bytes, body: bytes, write: Line) -> None:
    write(_announcing(head, len(body) - 10) + body)


def _more_than_announced(head: bytes, body: bytes, write: Line) -> None:
    write(head + body + bytes(1000))


def _no_http(_head: bytes, _body: bytes, write: Line) -> None:
    write(b"\x16\x03\x01 what is this?\r\n\r\n")


def _a_page(_head: bytes, _body: bytes, write: Line) -> None:
    page = b"<html>Please log in to the airport's network</html>"
    write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page))


BREAKS = {
    "reset before": Break(is_done=False, end="reset"),
    "reset after": Break(end="reset"),
    "closed before": Break(is_done=False),
    "response lost": Break(),
    "hung before": Break(is_done=False, end="hang"),
    "hung after": Break(end="hang"),
    "hung in the body": Break(_half, end="hang"),
    "cut in the body": Break(_half),
    "reset in the body": Break(_half, end="reset"),
    "headers alone": Break(_head_only),
    "more announced than sent": Break(_too_long_announced),
    "less announced than sent": Break(_too_short_announced),
    "oversized": Break(_more_than_announced),
    "no HTTP": Break(_no_http),
    "another page": Break(_a_page),
}


def _announcing(head: bytes, size_bytes: int) -> bytes:
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    return b"\r\n".join([lines[0], b"Content-Length: %d" % size_bytes, *lines[1:]])
