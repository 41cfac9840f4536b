"""What a job would cost and how long it would take, without sending a picture. Pure.

The contract has a table of prices for `Faces` only: a credit for every 24 megapixels of output begun. The same table
is assumed for `Standard V2`.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine.job.parameter_set import OutputFormat
from engine.job.price import credits_for
from engine.journal.line import Json, Record
from engine.limits import MAX_PIXELS, MAX_SIDE_PX
from engine.service.output_caps import check_output
from engine.service.refusal import Refusal
from engine.service.route import SERVED, Route, size_of
from engine.service.work import Work, work_of

__all__ = ["MAX_BULK", "MODELS", "Duration", "Question", "estimate", "estimate_bulk"]

MAX_BULK = 1000  # the contract names no limit
MODELS = {route.model: route for route in SERVED.values()}

# Seconds that a job takes by itself.
Duration = Callable[[Work], float]


def _whole(value: object) -> object:
    """Take 800.0 for 800, as JSON Schema does; text and booleans are no numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Side = Annotated[int, BeforeValidator(_whole), Field(strict=True, ge=1, le=MAX_SIDE_PX)]


class Question(BaseModel):
    """One estimate as it is asked for; members that are not here are ignored, as the vendor does."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    category: str | None = None
    model: str
    input_width: _Side
    input_height: _Side
    output_width: _Side | None = None
    output_height: _Side | None = None
    crop_to_fill: Annotated[bool, Field(strict=True)] | None = None
    output_format: OutputFormat | None = None


def estimate(question: Json, duration_s: Duration) -> Record:
    """Return `duration` in seconds and `credits`; raises Refusal with 400."""
    asked = _read(question)
    route = _route_of(asked)
    width, height = _output_size(asked, route)
    work = work_of(route.name, (asked.input_width, asked.input_height), (width, height))
    return {"duration": duration_s(work), "credits": credits_for(width, height)}


def estimate_bulk(questions: Json, duration_s: Duration) -> list[Record]:
    """Return one answer for each of `questions`, in their order; a bad one is an answer too. Raises Refusal."""
    if not isinstance(questions, list) or len(questions) > MAX_BULK:
        raise Refusal(400, f"the body must be an array of at most {MAX_BULK} estimates")
    return [_answer(question, duration_s) for question in questions]


def _answer(question: Json, duration_s: Duration) -> Record:
    try:
        return {"status": "success", **estimate(question, duration_s)}
    except Refusal as refusal:
        return {"status": "error", "code": refusal.status, "message": str(refusal)}


def _read(question: Json) -> Question:
    if not isinstance(question, dict):
        raise Refusal(400, "an estimate must be an object")
    try:
        asked = Question.model_validate(question)
    except ValidationError as error:
        raise Refusal(400, _explain(error.errors()[0])) from None
    if asked.input_width * asked.input_height > MAX_PIXELS:
        raise Refusal(400, f"input: more than {MAX_PIXELS // 1_000_000} megapixels")
    return asked


def _route_of(asked: Question) -> Route:
    route = MODELS.get(asked.model)
    if route is None:
        names = " and ".join(f"'{name}'" for name in MODELS)
        raise Refusal(400, f"model: '{asked.model[:64]}' is not served here; this service knows {names}")
    if asked.category is not None and asked.category != route.category:
        raise Refusal(400, f"category: '{asked.category[:64]}' is wrong; '{route.model}' is of '{route.category}'")
    return route


def _output_size(asked: Question, route: Route) -> tuple[int, int]:
    settings = route.parse(asked.model_dump(exclude_none=True))
    width, height = size_of(settings, asked.input_width, asked.input_height)
    check_output(width, height, 400)
    return width, height


def _explain(item: Any) -> str:
    return f"{item['loc'][0]}: {item['msg']}"
