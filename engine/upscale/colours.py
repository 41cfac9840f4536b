"""What the network must not change: colours stay what they were, those that can't be seen out of sight, grey grey."""

import math
from typing import Final

import numpy as np
from PIL import Image

from engine.faces.picture import Floats, Picture, Pixels, visible_rgb

__all__ = ["grey_again", "is_grey", "settle_colours", "spread_rgb"]

CELL: Final = 8  # pixels of the input a side, over which the mean colour is kept; finer detail is the network's say
BAND: Final = 256  # rows of the output at once: memory stays flat
REACH: Final = 16  # pixels; beyond them no neighbour's colour bleeds into what is seen


def spread_rgb(picture: Picture) -> Pixels:
    """The picture's pixels, with the colour of what is seen nearby in place of what is fully transparent.

    Transparent pixels have a colour too, often black: next to the edge of what is seen it would show as a rim.
    """
    if picture.alpha is None or picture.alpha.all() or not picture.alpha.any():
        return picture.rgb
    image = Image.fromarray(picture.rgb)
    image.putalpha(Image.fromarray(picture.alpha))
    small = (max(1, image.width // REACH), max(1, image.height // REACH))
    # Pillow weighs colours by their alpha when it resizes.
    near = np.asarray(image.resize(small, Image.Resampling.BOX).resize(image.size, Image.Resampling.BILINEAR))
    spread = np.where(near[..., 3:] > 0, near[..., :3], visible_rgb(picture))
    return np.where((picture.alpha == 0)[..., None], spread, picture.rgb)


def is_grey(rgb: Pixels) -> bool:
    return bool((rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all())


def grey_again(rgb: Pixels) -> Pixels:
    """`rgb` without the tinge that the network gave it."""
    return np.asarray(Image.fromarray(rgb).convert("L").convert("RGB"))


def settle_colours(enlarged: Pixels, rgb: Pixels) -> None:
    """Bring `enlarged`, in place, to the colours of `rgb`, of which it was made.

    The network shifts them: by up to 4 of 255 over whole photographs, differently from place to place.
    """
    cells = (math.ceil(rgb.shape[1] / CELL), math.ceil(rgb.shape[0] / CELL))
    wrong = _means(rgb, cells) - _means(enlarged, cells)
    height, width = enlarged.shape[:2]
    for top in range(0, height, BAND):
        band = enlarged[top : top + BAND]
        box = (0, top * cells[1] / height, cells[0], (top + len(band)) * cells[1] / height)
        for channel in range(3):
            image = Image.fromarray(wrong[..., channel])
            offset = image.resize((width, len(band)), Image.Resampling.BILINEAR, box=box)
            band[..., channel] = (band[..., channel] + np.asarray(offset) + 0.5).clip(0, 255)


def _means(rgb: Pixels, cells: tuple[int, int]) -> Floats:
    return np.asarray(Image.fromarray(rgb).resize(cells, Image.Resampling.BOX), np.float32)
