"""The parameters of the model `Faces` (Face Recovery 3), checked before anything is sent.

Ranges are the model page's; where the page misprints the lower bound of `grain_density` as "010", the sentence under
it says 0.0.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.job.parameter_set import SIZE_RANGES, OutputFormat, ParameterSet
from engine.limits import MAX_SIDE_PX

__all__ = ["MAX_FACES", "MAX_SIDE_PX", "MODEL", "Box", "FaceRecovery", "GrainModel", "OutputFormat"]

MODEL = "Faces"
# The contract names no limit. A class photo has some forty faces; a picture of a full stand, as far as they are large
# enough to restore, a few hundred. Each takes a twentieth of a second and more, so somebody has to draw a line.
MAX_FACES = 500

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class GrainModel(StrEnum):
    """How film grain is drawn."""

    SILVER = "silver"
    GAUSSIAN = "gaussian"
    GREY = "grey"


class Box(BaseModel):
    """One face: `x`, `y` of its top left corner, `width` and `height`, in input pixels, and a score 0-1."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    x: float
    y: float
    width: Annotated[float, Field(gt=0)]
    height: Annotated[float, Field(gt=0)]
    score: Share = 1.0


class FaceRecovery(ParameterSet):
    """One set of Face Recovery 3 parameters; the defaults are the model page's."""

    model: ClassVar[str] = MODEL
    title: ClassVar[str] = "Face Recovery 3"
    ranges: ClassVar[Mapping[str, str]] = {
        "strength": "a number from 0.0 to 1.0",
        "grain": "true or false",
        "grain_model": "one of silver, gaussian, grey",
        "grain_density": "a number from 0.0 to 1.0",
        "grain_size": "a number from 1.0 to 5.0",
        "grain_strength": "a number from 0.0 to 1.0",
        **SIZE_RANGES,
    }

    strength: Share = 1.0
    grain: bool = False
    grain_model: GrainModel = GrainModel.SILVER
    grain_density: Share = 0.5
    grain_size: Annotated[float, Field(ge=1.0, le=5.0)] = 1.0
    grain_strength: Share = 0.5
    iai_packed_metadata: Annotated[tuple[Box, ...], Field(max_length=MAX_FACES)] | None = None
    reference_uri: str | None = None

    @field_validator("iai_packed_metadata", mode="before")
    @classmethod
    def _unpack_boxes(cls, value: object) -> object:
        return unpack_boxes(value)

    @field_validator("reference_uri")
    @classmethod
    def _check_text(cls, value: str | None) -> str | None:
        try:
            (value or "").encode()
        except UnicodeEncodeError:
            raise ValueError("is not valid UTF-8") from None
        return value

    def _as_text(self, value: Any) -> str:
        if isinstance(value, tuple):
            flat = [number for box in value for number in (box.x, box.y, box.width, box.height, box.score)]
            return orjson.dumps(flat).decode()
        return super()._as_text(value)


def unpack_boxes(value: object) -> object:
    """Return face boxes as a list of objects from any of the three packings, all else as it is.

    A flat list of five numbers a face (x, y, width, height, score); a JSON string of that list; a JSON string
    of `[{"box": [x, y, width, height], "score": s}, ...]`. Raises ValueError for a text or a list that is none.
    """
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError("is not JSON") from None
    if not isinstance(value, list):
        return value
    if all(isinstance(item, int | float) for item in value):
        if len(value) % 5:
            raise ValueError("a packed list holds five numbers a face: x, y, width, height, score")
        return [
            dict(zip(("x", "y", "width", "height", "score"), value[at : at + 5], strict=True))
            for at in range(0, len(value), 5)
        ]
    return [_unpack_object(item) for item in value]


def _unpack_object(item: object) -> object:
    match item:
        case {"box": [x, y, width, height], **rest} if rest.keys() <= {"score"}:
            return {"x": x, "y": y, "width": width, "height": height, **rest}
    return item
