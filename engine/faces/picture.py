"""A picture in memory, and how large one may be.

Everything between decoding and encoding works on this one shape: 8-bit RGB, upright, alpha apart.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from engine.errors import InputError
from engine.limits import MAX_PIXELS, MAX_SIDE_PX

if TYPE_CHECKING:
    from engine.faces.options import Format

__all__ = ["Floats", "Picture", "Pixels", "check_size", "visible_rgb"]

HIDDEN_ALPHA = 16  # of 255: what is less opaque can't be told from what is behind it

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A decoded picture, upright: its EXIF orientation is already applied."""

    rgb: Pixels  # height x width x 3
    alpha: Pixels | None  # height x width; None where the file had none
    icc: bytes | None  # profile of `rgb`; None means sRGB
    exif: bytes | None  # without orientation and thumbnail
    format: "Format"  # what the file was, by its content
    pages: int = 1  # pictures in the file, of which this is the first

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])


def visible_rgb(picture: Picture) -> Pixels:
    """The picture's pixels, with the mean of what can be seen in place of what can't.

    Transparent pixels have a colour too, and any: it must not be taken for part of a face.
    """
    if picture.alpha is None:
        return picture.rgb
    is_hidden = picture.alpha < HIDDEN_ALPHA
    if not is_hidden.any() or is_hidden.all():
        return picture.rgb
    mean = picture.rgb[~is_hidden].mean(axis=0)
    return np.where(is_hidden[..., None], (mean + 0.5).astype(np.uint8), picture.rgb)


def check_size(width: int, height: int, what: str) -> None:
    """Raise InputError, its line beginning with `what`, if a picture of this size is too large or has no pixels."""
    if width < 1 or height < 1:
        raise InputError(f"{what} is {width} x {height} pixels; both sides must be at least 1")
    if max(width, height) > MAX_SIDE_PX:
        raise InputError(f"{what} is {width} x {height} pixels; a side may have at most {MAX_SIDE_PX:,}")
    if width * height > MAX_PIXELS:
        megapixels = width * height / 1e6
        raise InputError(
            f"{what} is {width} x {height} pixels ({megapixels:,.0f} MP); at most {MAX_PIXELS // 10**6} MP are allowed"
        )
