"""Cut a multipart body (RFC 2046, 5.1) into parts while it arrives. Pure: bytes in, events out.

What is buffered is bounded: a part's header, or one delimiter's length of its body. (aiohttp's own reader parses
every part's header twice, at 0.1 ms each, which was half of the time of a small upload.)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from engine.service.disposition import parse_disposition

__all__ = ["Body", "Malformed", "Multipart", "Part"]

_MAX_HEADER_BYTES = 16 * 1024  # a filename of 1024 characters, percent-encoded, and room to spare
_END_OF_HEADER = b"\r\n\r\n"


class Malformed(ValueError):
    """The body is no multipart form; says why in one line."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part begins; what follows up to the next one is its body."""

    name: str
    filename: str | None


@dataclass(frozen=True, slots=True)
class Body:
    """Some bytes of the part that began last; never empty."""

    data: bytes


class _State(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()  # right behind one
    HEADER = auto()
    BODY = auto()
    END = auto()


class Multipart:
    """One body. Feed it until the stream ends, then ask `is_complete`."""

    def __init__(self, boundary: str) -> None:
        if not 1 <= len(boundary) <= 70 or not boundary.isascii():  # RFC 2046's limit
            raise Malformed("the boundary must have 1 to 70 ASCII characters")
        self._delimiter = b"\r\n--" + boundary.encode()
        self._buffer = b"\r\n"  # so that the first delimiter looks like every other
        self._state = _State.PREAMBLE

    def __repr__(self) -> str:
        return f"<Multipart {self._state.name.lower()}, {len(self._buffer)} bytes buffered>"

    @property
    def is_complete(self) -> bool:
        """Whether the closing delimiter was seen."""
        return self._state is _State.END

    def feed(self, data: bytes) -> Iterator[Part | Body]:
        """Yield what `data` brings; raises Malformed. Exhaust it before feeding more."""
        self._buffer += data
        moved = True
        while moved:
            match self._state:
                case _State.PREAMBLE:
                    moved = self._find_delimiter() is not None
                case _State.DELIMITER:
                    moved = self._pass_delimiter()
                case _State.HEADER:
                    part = self._read_header()
                    moved = part is not None
                    if part is not None:
                        yield part
                case _State.BODY:
                    body = self._find_delimiter()
                    moved = body is not None
                    if rest := self._safe_rest() if body is None else body:
                        yield Body(rest)
                case _State.END:
                    self._buffer = b""
                    return

    def _find_delimiter(self) -> bytes | None:
        """Return what stands before the next delimiter and step behind it; None if there is none yet."""
        at = self._buffer.find(self._delimiter)
        if at < 0:
            if self._state is _State.PREAMBLE:
                self._safe_rest()
            return None
        before, self._buffer = self._buffer[:at], self._buffer[at + len(self._delimiter) :]
        self._state = _State.DELIMITER
        return before

    def _safe_rest(self) -> bytes:
        """Take from the buffer what can't be the beginning of a delimiter."""
        cut = max(0, len(self._buffer) - len(self._delimiter) + 1)
        rest, self._buffer = self._buffer[:cut], self._buffer[cut:]
        return rest

    def _pass_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer.startswith(b"--"):
            self._state = _State.END
        elif self._buffer.startswith(b"\r\n"):
            self._state = _State.HEADER
        else:
            raise Malformed("a boundary is followed by something else than a line end")
        return True

    def _read_header(self) -> Part | None:
        at = self._buffer.find(_END_OF_HEADER)
        # The end itself may be here but for its last byte: however the body is cut, the header alone is measured.
        if (len(self._buffer) - len(_END_OF_HEADER) + 1 if at < 0 else at) > _MAX_HEADER_BYTES:
            raise Malformed(f"a part's header is longer than {_MAX_HEADER_BYTES} bytes")
        if at < 0:
            return None
        lines = self._buffer[:at].split(b"\r\n")
        self._buffer = self._buffer[at + len(_END_OF_HEADER) :]
        self._state = _State.BODY
        return _part(lines)


def _part(lines: list[bytes]) -> Part:
    for line in lines:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-disposition":
            try:
                return Part(*parse_disposition(value.decode("utf-8", "replace").strip()))
            except ValueError as error:
                raise Malformed(str(error)) from error
    raise Malformed("a part has no Content-Disposition")
