"""A JSON request body, in the shape in which a transport takes a body."""

from dataclasses import dataclass
from typing import Any, Self

import orjson

__all__ = ["JsonBody"]


@dataclass(frozen=True, slots=True)
class JsonBody:
    """One JSON text, encoded."""

    content: bytes

    @classmethod
    def of(cls, value: Any) -> Self:
        return cls(orjson.dumps(value))

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json", "Content-Length": str(len(self.content))}

    def body(self) -> bytes:
        """Return what to send."""
        return self.content
