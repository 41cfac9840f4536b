"""What jobs would cost and how long they would take, asked of the remote without sending a picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.remote.answer import members_of, value_of
from engine.remote.exchange import Exchange
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.json_body import JsonBody
from engine.remote.row import finite

__all__ = ["BULK", "Question", "Quote", "estimate", "estimate_bulk"]

BULK = 100  # questions a request; the contract names no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One kind of job. Sizes are pixels; `output_width` and `output_height` None: the input's own size.

    `category` and `model` are the contract's words, `is_generative` says which of its two price calls is meant.
    """

    category: str
    model: str
    input_width: int
    input_height: int
    output_width: int | None = None
    output_height: int | None = None
    output_format: str = ""
    is_generative: bool = True

    def members(self) -> dict[str, Any]:
        """Return the members of the request, without those that are not said."""
        members = {name: getattr(self, name) for name in _MEMBERS}
        return {name: value for name, value in members.items() if value}


_MEMBERS = tuple(name for name in Question.__slots__ if name != "is_generative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The answer to one question: whole credits, and how long such a job takes in seconds (0: not said).

    With a `reason` the remote would refuse such a job, and the numbers are 0.
    """

    credits: int = 0
    duration_s: float = 0.0
    reason: str = ""


async def estimate(exchange: Exchange, question: Question) -> Quote:
    """Ask for one price; raises RemoteError, of kind BAD_JOB where the remote would refuse such a job."""
    path = "/estimate-gen" if question.is_generative else "/estimate"
    answer = await exchange.call(Call.ESTIMATE, "POST", path, JsonBody.of(question.members()))
    return _quote(members_of(answer))


async def estimate_bulk(exchange: Exchange, questions: Sequence[Question]) -> list[Quote]:
    """Ask for many prices at once, answered in the order of `questions`; one that is refused is an answer, too.

    Raises RemoteError, of kind NOT_OFFERED where the remote has no such call.
    """
    body = JsonBody.of([question.members() for question in questions])
    answers = value_of(await exchange.call(Call.ESTIMATE, "POST", "/estimate-bulk", body))
    if not isinstance(answers, list) or len(answers) != len(questions):
        raise RemoteError(Kind.TRANSIENT, "the prices were answered without one for each question")
    return [_one_of_bulk(exchange, members) for members in answers]


def _one_of_bulk(exchange: Exchange, members: object) -> Quote:
    if not isinstance(members, dict):
        raise RemoteError(Kind.TRANSIENT, "a price was answered that is none")
    if members.get("status") == "error":
        said = members.get("message")
        words = exchange.words(said) if isinstance(said, str) else ""
        return Quote(reason=words or f"is refused with {members.get('code')}")
    return _quote(members)


def _quote(members: dict[str, Any]) -> Quote:
    price, duration_s = members.get("credits"), finite(members.get("duration"))
    if isinstance(price, bool) or not isinstance(price, int | float) or price < 0:
        raise RemoteError(Kind.TRANSIENT, "a price was answered without its credits")
    return Quote(credits=math.ceil(finite(price)), duration_s=max(0.0, duration_s))
