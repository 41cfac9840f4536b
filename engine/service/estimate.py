"""What a job would cost and how long it would take, without sending a picture."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.job.parameters import MODEL
from engine.job.price import credits_for
from engine.journal.line import Json, Record
from engine.limits import MAX_SIDE_PX, output_size
from engine.service.eta import work_units
from engine.service.output_caps import check_output
from engine.service.refusal import Refusal

__all__ = ["MAX_BULK", "estimate", "estimate_bulk"]

MAX_BULK = 1000  # the contract names no limit

_Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


class _Question(BaseModel):
    model_config = ConfigDict(extra="ignore")

    model: str
    input_width: _Side
    input_height: _Side
    output_width: _Side | None = None
    output_height: _Side | None = None


def estimate(question: Json, duration_s: Callable[[float], float]) -> Record:
    """Return `duration`, of the units in the job by `duration_s`, and `credits`; raises Refusal with 400."""
    try:
        asked = _Question.model_validate(question)
    except ValidationError as error:
        raise Refusal(400, _explain(error.errors()[0])) from error
    if asked.model != MODEL:
        raise Refusal(400, f"model: '{asked.model[:64]}' is not known to this service; it knows '{MODEL}'")
    width, height = output_size(asked.input_width, asked.input_height, asked.output_width, asked.output_height)
    check_output(width, height, 400)
    return {"duration": duration_s(work_units(width, height)), "credits": credits_for(width, height)}


def estimate_bulk(questions: Json, duration_s: Callable[[float], float]) -> list[Record]:
    """Return one answer for each of `questions`, in their order; a bad one is an answer too. Raises Refusal."""
    if not isinstance(questions, list) or len(questions) > MAX_BULK:
        raise Refusal(400, f"the body must be an array of at most {MAX_BULK} estimates")
    return [_answer(question, duration_s) for question in questions]


def _answer(question: Json, duration_s: Callable[[float], float]) -> Record:
    try:
        return {"status": "success", **estimate(question, duration_s)}
    except Refusal as refusal:
        return {"status": "error", "code": refusal.status, "message": str(refusal)}


def _explain(item: Any) -> str:
    return f"{'.'.join(str(part) for part in item['loc']) or 'body'}: {item['msg']}"
