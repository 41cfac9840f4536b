"""The parameters of the model `Standard V2` (`/enhance/async`), a general upscaler, checked before anything is sent.

Its price is taken to be Face Recovery 3's, by the megapixels of the output (`engine.job.price`): the vendor's table of
it is not at hand.
"""

from collections.abc import Mapping
from typing import ClassVar

from engine.job.parameter_set import SIZE_RANGES, OutputFormat, ParameterSet
from engine.limits import fitted_size

__all__ = ["STANDARD", "Enhance", "OutputFormat", "enhanced_size"]

STANDARD = "Standard V2"


class Enhance(ParameterSet):
    """One set of parameters of the upscaler.

    `crop_to_fill` matters only where both sides of the output are asked for: see `enhanced_size`.
    """

    model: ClassVar[str] = STANDARD
    title: ClassVar[str] = STANDARD
    ranges: ClassVar[Mapping[str, str]] = {"crop_to_fill": "true or false", **SIZE_RANGES}

    crop_to_fill: bool = False


def enhanced_size(width: int, height: int, enhance: Enhance) -> tuple[int, int]:
    """Return (width, height) of the output of a `width` x `height` input, in pixels, the whole rule being ours.

    Neither side asked for: the input's own size. One: the aspect is kept. Both with `crop_to_fill`: exactly these,
    what sticks out being cut off equally on both sides. Both without: the largest picture of the input's aspect that
    fits inside, so that one side may be smaller than asked. Always at least 1 pixel; may be beyond `engine.limits`.
    """
    return fitted_size(width, height, enhance.output_width, enhance.output_height, crop_to_fill=enhance.crop_to_fill)
