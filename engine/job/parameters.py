"""The parameters of the model `Faces` (Face Recovery 3), checked before anything is sent.

The vendor ignores settings it does not know, silently, so names and ranges are checked here: by the engine
before a job is planned, and by the embedded service when one arrives. Ranges are the model page's; where the
page misprints the lower bound of `grain_density` as "010", the sentence under it says 0.0.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from engine.errors import UsageError
from engine.limits import MAX_SIDE_PX

__all__ = ["MODEL", "Box", "FaceRecovery", "GrainModel", "OutputFormat"]

MODEL = "Faces"

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Pixels = Annotated[int, Field(ge=1)]
OutputPixels = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


class GrainModel(StrEnum):
    """How film grain is drawn."""

    SILVER = "silver"
    GAUSSIAN = "gaussian"
    GREY = "grey"


class OutputFormat(StrEnum):
    """The file formats the contract names; `jpg` and `tif` mean `jpeg` and `tiff`."""

    JPEG = "jpeg"
    JPG = "jpg"
    PNG = "png"
    TIFF = "tiff"
    TIF = "tif"

    @property
    def canonical(self) -> "OutputFormat":
        return {OutputFormat.JPG: OutputFormat.JPEG, OutputFormat.TIF: OutputFormat.TIFF}.get(self, self)


class Box(BaseModel):
    """One face: `x`, `y` of its top left corner, `width` and `height`, in input pixels, and a score 0-1."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    x: float
    y: float
    width: Annotated[float, Field(gt=0)]
    height: Annotated[float, Field(gt=0)]
    score: Share = 1.0


class FaceRecovery(BaseModel):
    """One set of Face Recovery 3 parameters; the defaults are the model page's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    strength: Share = 1.0
    grain: bool = False
    grain_model: GrainModel = GrainModel.SILVER
    grain_density: Share = 0.5
    grain_size: Annotated[float, Field(ge=1.0, le=5.0)] = 1.0
    grain_strength: Share = 0.5
    output_width: OutputPixels | None = None
    output_height: OutputPixels | None = None
    input_width: Pixels | None = None
    input_height: Pixels | None = None
    iai_packed_metadata: tuple[Box, ...] | None = None
    reference_uri: str | None = None
    output_format: OutputFormat = OutputFormat.JPEG

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

    @classmethod
    def parse(cls, values: Mapping[str, Any], spell: Callable[[str], str] = str) -> Self:
        """Return the parameters in `values` (texts as in a form or on a command line, or typed).

        Raises UsageError with one line that names parameter (as `spell` writes it), value and range.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise UsageError("; ".join(_explain(item, spell) for item in error.errors())) from None

    def form(self) -> dict[str, str]:
        """Return the fields to send: the model, the format, and what differs from the defaults."""
        fields = {"model": MODEL, "output_format": self.output_format.value}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name != "output_format" and value != field.default:
                fields[name] = _as_text(value)
        return fields


def _as_text(value: Any) -> str:
    if isinstance(value, tuple):
        flat = [number for box in value for number in (box.x, box.y, box.width, box.height, box.score)]
        return orjson.dumps(flat).decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


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


def _explain(item: Any, spell: Callable[[str], str]) -> str:
    """Say one pydantic complaint as `name: value is wrong, what would be right`."""
    name = ".".join(spell(str(part)) for part in item["loc"][:1]) or "parameters"
    field = FaceRecovery.model_fields.get(str(item["loc"][0])) if item["loc"] else None
    if item["type"] == "extra_forbidden":
        return f"{name}: Face Recovery 3 has no such parameter"
    expected = describe_range(str(item["loc"][0])) if field is not None and len(item["loc"]) == 1 else ""
    wrong = item["input"] if not isinstance(item["input"], dict | list) else "the value"
    complaint = item["msg"].removeprefix("Value error, ")
    match item["loc"]:
        case (_, int(index), *parts):
            return (
                f"{name}: face {index + 1}, {' '.join(map(str, parts)) or 'as a whole'}: {wrong}: {complaint.lower()}"
            )
    return f"{name}: {wrong} is not {expected}" if expected else f"{name}: {wrong}: {complaint}"


_EXPECTED = {
    "strength": "a number from 0.0 to 1.0",
    "grain": "true or false",
    "grain_model": "one of silver, gaussian, grey",
    "grain_density": "a number from 0.0 to 1.0",
    "grain_size": "a number from 1.0 to 5.0",
    "grain_strength": "a number from 0.0 to 1.0",
    "output_width": f"a whole number from 1 to {MAX_SIDE_PX}",
    "output_height": f"a whole number from 1 to {MAX_SIDE_PX}",
    "input_width": "a whole number of pixels, at least 1",
    "input_height": "a whole number of pixels, at least 1",
    "output_format": "one of jpeg, jpg, png, tiff, tif",
}


def describe_range(name: str) -> str:
    """Return what the parameter `name` accepts, in words; empty for free-form ones."""
    return _EXPECTED.get(name, "")
