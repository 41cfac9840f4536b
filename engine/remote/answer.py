"""Answers of the remote, read with care: JSON that may be none, its own words, times in numbers or text."""

from typing import Any, TypeGuard

import orjson

from engine.remote.failures import Kind, RemoteError
from engine.remote.row import Row, finite
from engine.remote.transport import Response

__all__ = ["as_row", "is_process_id", "members_of", "said_in", "unix_time", "value_of"]


def value_of(answer: Response, otherwise: Kind = Kind.TRANSIENT) -> Any:
    """Return the JSON in `answer`; raises RemoteError of the kind `otherwise` when it is none."""
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise RemoteError(otherwise, "the answer is not JSON", status=answer.status) from None


def members_of(answer: Response, otherwise: Kind = Kind.TRANSIENT) -> dict[str, Any]:
    """Return the JSON object in `answer`; raises RemoteError of the kind `otherwise` when it is none."""
    members = value_of(answer, otherwise)
    if not isinstance(members, dict):
        raise RemoteError(otherwise, "the answer is not a JSON object", status=answer.status)
    return members


def said_in(answer: Response) -> str:
    """Return the remote's own words, all of them and as they came."""
    try:
        said = orjson.loads(answer.body)
        text = said.get("message") if isinstance(said, dict) else None
    except orjson.JSONDecodeError:
        text = None
    return text if isinstance(text, str) and text else answer.body.decode(errors="replace")


def unix_time(value: object) -> float:
    """Return Unix seconds from a number or the text of one, 0 when it is neither."""
    try:
        return finite(float(value) if isinstance(value, str) else value)
    except ValueError:
        return 0.0


def is_process_id(value: object) -> TypeGuard[str]:
    """Say whether `value` can name a job: a text on one line."""
    return isinstance(value, str) and bool(value) and value.isprintable()


def as_row(members: dict[str, Any]) -> Row:
    """Return the status row in `members`; raises RemoteError when it is none."""
    try:
        return Row.of_json(members)
    except (AttributeError, ValueError) as error:
        raise RemoteError(Kind.TRANSIENT, f"the answer is not a status row ({error})") from error
