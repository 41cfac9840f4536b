"""What a picture costs and how large it comes out, known before anything is sent."""

import math

__all__ = ["MEGAPIXELS_A_CREDIT", "credits_for", "output_size"]

# The model page's table: 1-24 MP 1 credit, 32 and 40: 2, 50 and 64: 3, 100: 5.
MEGAPIXELS_A_CREDIT = 24


def credits_for(width: int, height: int) -> int:
    """Return the credits for an output of `width` x `height` pixels: ceil(MP / 24), at least 1."""
    return max(1, math.ceil(width * height / (MEGAPIXELS_A_CREDIT * 1_000_000)))


def output_size(width: int, height: int, output_width: int | None, output_height: int | None) -> tuple[int, int]:
    """Return (width, height) of the output of a `width` x `height` input, in pixels.

    Neither asked for: the input's own size. One asked for: the aspect is kept, at least 1 pixel.
    """
    if output_width is not None and output_height is not None:
        return output_width, output_height
    if output_width is not None:
        return output_width, max(1, round(height * output_width / width))
    if output_height is not None:
        return max(1, round(width * output_height / height)), output_height
    return width, height
