"""What a caller may ask of an upscale, and what one answers. Plain values; needs no library at all."""

from dataclasses import dataclass

from engine.faces.options import Format

__all__ = ["Enhanced", "Options"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one picture is upscaled. What the sizes mean is said by `engine.limits.fitted_size`."""

    output_width: int | None = None
    output_height: int | None = None
    crop_to_fill: bool = False
    output_format: Format = "jpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enhanced:
    """What came of one upscale. Sizes are of the upright pictures, in pixels; the input's before it was cropped."""

    input_width: int
    input_height: int
    input_format: Format
    output_width: int
    output_height: int
    warnings: tuple[str, ...]  # one line each, for the user
