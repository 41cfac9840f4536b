"""Read a JSON body that anybody may have written. Pure.

Refused beyond what is no JSON at all: nesting without end, NaN, numbers out of range, half characters (all by
orjson), and an object that names a member twice, of which readers see different ones (RFC 8259, 4).
"""

import json
from typing import Any

import orjson

from engine.journal.line import Json
from engine.service.refusal import Refusal

__all__ = ["read_json"]


class _NamedTwice(ValueError):
    """An object has two members of one name."""


def read_json(body: bytes) -> Json:
    """Return the value in `body`; raises Refusal with 400."""
    try:
        value: Json = orjson.loads(body)
        # orjson keeps the last of two members and can't tell; what it let through is safe for the slower reader, but
        # for numbers, which that one would read exactly however long they are.
        json.loads(body, object_pairs_hook=_check_names, parse_int=str, parse_float=str)
    except _NamedTwice as error:
        raise Refusal(400, str(error)) from None
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is not JSON") from None
    return value


def _check_names(members: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            raise _NamedTwice(f"the body names '{name[:64]}' twice")
        seen.add(name)
