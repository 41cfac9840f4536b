"""What a picture costs, known before anything is sent."""

import math

__all__ = ["MEGAPIXELS_A_CREDIT", "credits_for"]

# The model page's table: 1-24 MP 1 credit, 32 and 40: 2, 50 and 64: 3, 100: 5.
MEGAPIXELS_A_CREDIT = 24


def credits_for(width: int, height: int) -> int:
    """Return the credits for an output of `width` x `height` pixels: ceil(MP / 24), at least 1."""
    return max(1, math.ceil(width * height / (MEGAPIXELS_A_CREDIT * 1_000_000)))
