"""What a caller may ask of a restoration, and what one answers. Plain values; needs no library at all."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Box", "FaceFound", "Format", "Grain", "GrainModel", "Options", "Restored"]

Format = Literal["jpeg", "png", "tiff"]
GrainModel = Literal["silver", "gaussian", "grey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grain:
    """Film grain laid over the finished picture."""

    model: GrainModel
    density: float = 0.5  # 0..1, share of the particles that carry grain
    size: float = 1.0  # 1..5, side of a particle in output pixels
    strength: float = 0.5  # 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A face in pixels of the upright input picture, from its left upper corner."""

    x: float
    y: float
    width: float
    height: float
    score: float = 1.0  # 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one picture is restored."""

    strength: float = 1.0  # 0 (the resized input) .. 1 (the face model's full say)
    grain: Grain | None = None
    output_width: int | None = None  # one side alone keeps the aspect; neither keeps the size
    output_height: int | None = None
    output_format: Format = "jpeg"
    boxes: tuple[Box, ...] | None = None  # the faces to restore; None looks for them
    seed: int = 0  # of the grain


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFound:
    """A face that was restored: where it was in the upright input, and how sure the detector is (0..1)."""

    box: tuple[float, float, float, float]  # x, y, width, height
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of one restoration. Sizes are of the upright pictures, in pixels."""

    input_width: int
    input_height: int
    input_format: Format
    output_width: int
    output_height: int
    faces: tuple[FaceFound, ...]
    warnings: tuple[str, ...]  # one line each, for the user
