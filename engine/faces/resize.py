"""The size of the output, and the whole picture brought to it."""

from typing import Final

import numpy as np
from PIL import Image

from engine.faces.picture import Pixels, check_size
from engine.limits import output_size

__all__ = ["checked_output_size", "resize"]

REDUCING_GAP: Final = 3.0  # Pillow's documentation: "close to fair resampling" yet much faster on strong shrinks


def checked_output_size(
    input_width: int, input_height: int, output_width: int | None, output_height: int | None
) -> tuple[int, int]:
    """Width and height of the output. InputError if they are beyond the limits of `check_size`."""
    width, height = output_size(input_width, input_height, output_width, output_height)
    check_size(width, height, "the output")
    return width, height


def resize(rgb: Pixels, alpha: Pixels | None, width: int, height: int) -> tuple[Pixels, Pixels | None]:
    """Lanczos; fresh arrays. The colour of transparent pixels does not bleed into visible ones."""
    if rgb.shape[:2] == (height, width):
        return rgb.copy(), alpha
    image = Image.fromarray(rgb)
    if alpha is not None:
        image.putalpha(Image.fromarray(alpha))
    image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    if alpha is None:
        return np.array(image), None
    return np.array(image.convert("RGB")), np.array(image.getchannel("A"))
