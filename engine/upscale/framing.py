"""Which part of the input becomes the output, and how large."""

import math
from dataclasses import dataclass
from typing import Self

from engine.faces.picture import check_size
from engine.limits import fitted_size
from engine.upscale.options import Options

__all__ = ["Framing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The size of the output, and the part of the input that fills it: `left` to `right`, `top` to `bottom`.

    The part's edges may lie between pixels.
    """

    width: int
    height: int
    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, input_width: int, input_height: int, options: Options) -> Self:
        """Raises InputError if the output is beyond the limits of `check_size`."""
        width, height = fitted_size(
            input_width, input_height, options.output_width, options.output_height, crop_to_fill=options.crop_to_fill
        )
        check_size(width, height, "the output")
        is_cropped = options.crop_to_fill and options.output_width is not None and options.output_height is not None
        # Else the aspects differ by rounding alone, and nothing is to be lost to that.
        across = min(input_width, input_height * width / height) if is_cropped else input_width
        down = min(input_height, input_width * height / width) if is_cropped else input_height
        left, top = (input_width - across) / 2, (input_height - down) / 2
        return cls(width=width, height=height, left=left, top=top, right=left + across, bottom=top + down)

    @property
    def is_larger(self) -> bool:
        """Whether the output has more pixels along any side than the part that it shows."""
        return self.width > math.ceil(self.right - self.left) or self.height > math.ceil(self.bottom - self.top)

    @property
    def scale(self) -> float:
        return max(self.width / (self.right - self.left), self.height / (self.bottom - self.top))

    @property
    def window(self) -> tuple[int, int, int, int]:
        """The whole pixels of the input that the part touches: left, top, right, bottom."""
        return math.floor(self.left), math.floor(self.top), math.ceil(self.right), math.ceil(self.bottom)

    def box(self, scale: int = 1, rim: int = 0) -> tuple[float, float, float, float]:
        """The part within its window with `rim` pixels around, enlarged by `scale`: left, top, right, bottom."""
        x, y = self.window[0] - rim, self.window[1] - rim
        return scale * (self.left - x), scale * (self.top - y), scale * (self.right - x), scale * (self.bottom - y)
