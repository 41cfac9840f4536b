"""What the parameters of every model have in common: how they are read, refused in one line, and sent.

The vendor ignores settings it does not know, silently, so names and ranges are checked here: by the engine before a
job is planned, and by the embedded service when one arrives.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import UsageError
from engine.limits import MAX_SIDE_PX

__all__ = ["SIZE_RANGES", "OutputFormat", "OutputPixels", "ParameterSet", "Pixels"]

Pixels = Annotated[int, Field(ge=1)]
_QUOTED_CHARS = 100  # of a wrong value: the rest of the line has to be seen, too
OutputPixels = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


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


# What the parameters that every model has accept, in words.
SIZE_RANGES: Mapping[str, str] = {
    "output_width": f"a whole number from 1 to {MAX_SIDE_PX}",
    "output_height": f"a whole number from 1 to {MAX_SIDE_PX}",
    "input_width": "a whole number of pixels, at least 1",
    "input_height": "a whole number of pixels, at least 1",
    "output_format": "one of jpeg, jpg, png, tiff, tif",
}


class ParameterSet(BaseModel):
    """The parameters that every model has; a model adds its own, and says how it is called and what they accept."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: ClassVar[str]  # as the field `model` names it
    title: ClassVar[str]  # as people call it
    ranges: ClassVar[Mapping[str, str]] = SIZE_RANGES  # in words, by parameter; free-form ones are not in it

    output_width: OutputPixels | None = None
    output_height: OutputPixels | None = None
    input_width: Pixels | None = None
    input_height: Pixels | None = None
    output_format: OutputFormat = OutputFormat.JPEG

    @classmethod
    def parse(cls, values: Mapping[str, Any], spell: Callable[[str], str] = str) -> Self:
        """Return the parameters in `values` (texts as in a form or on a command line, or typed).

        Raises UsageError with one line that names parameter (as `spell` writes it), value and range.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise UsageError("; ".join(cls._explain(item, spell) for item in error.errors())) from None

    def form(self) -> dict[str, str]:
        """Return the fields to send: the model, the format, and what differs from the defaults."""
        fields = {"model": self.model, "output_format": self.output_format.value}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if name != "output_format" and value != field.default:
                fields[name] = self._as_text(value)
        return fields

    def _as_text(self, value: Any) -> str:
        """Return `value` as a form carries it; a model with values of its own kind says how."""
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    @classmethod
    def _explain(cls, item: Any, spell: Callable[[str], str]) -> str:
        """Say one pydantic complaint as `name: value is wrong, what would be right`."""
        name = ".".join(spell(str(part)) for part in item["loc"][:1]) or "parameters"
        if item["type"] == "extra_forbidden":
            return f"{name}: {cls.title} has no such parameter"
        if item["type"] == "too_long":
            return f"{name}: {item['ctx']['actual_length']} are too many, at most {item['ctx']['max_length']} are taken"
        expected = cls.ranges.get(str(item["loc"][0]), "") if len(item["loc"]) == 1 else ""
        wrong = _quoted(item["input"]) if not isinstance(item["input"], dict | list) else "the value"
        complaint = item["msg"].removeprefix("Value error, ")
        match item["loc"]:
            case (_, int(index), *parts):
                part = " ".join(map(str, parts)) or "as a whole"
                return f"{name}: face {index + 1}, {part}: {wrong}: {complaint.lower()}"
        return f"{name}: {wrong} is not {expected}" if expected else f"{name}: {wrong}: {complaint}"


def _quoted(value: object) -> str:
    text = str(value)
    return text if len(text) <= _QUOTED_CHARS else f"{text[:_QUOTED_CHARS]}..."
