"""The restored face back into the picture: its colour settled, mixed by strength, under a soft mask."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from PIL import Image

from engine.faces.align import Transform, compose, invert, warp
from engine.faces.picture import Floats, Pixels

__all__ = ["Patch", "paste", "settle_colour"]

COLOUR_CELLS: Final = 8  # colour is compared on 8 x 8 cells: finer than a cheek's shadow, coarser than a feature
MASK_REACH: Final = 0.47  # of the aligned face's side, from its middle: where the mask ends
MASK_SOFT: Final = 0.14  # of the side: how long it takes to end
STRIP_PX: Final = 256  # rows blended at once, so that a huge face costs no huge arrays


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Patch:
    """A restored face, ready to be pasted."""

    restored: Pixels  # size x size x 3, aligned
    aligned: Pixels  # the same face before
    transform: Transform  # from output pixels to aligned ones
    weight: float  # 0..1, how much of it counts
    detail: float  # 0..1, how much of the picture's detail beyond the model's resolution comes on top


def settle_colour(restored: Floats, aligned: Pixels) -> Pixels:
    """The restored face (size x size x 3, 0..255) with the colours of the input's, so that no cast is added.

    Broad colour is the input's own. Fine colour (of lips, of eyes) is kept no stronger than the input's, so that a
    grey or sepia picture stays one.
    """
    luma, chroma = _split(restored)
    own_luma, own_chroma = _split(aligned.astype(np.float32))
    vividness = min(1.0, _spread(own_chroma) / max(_spread(chroma), 1e-6))
    luma += _broad(own_luma) - _broad(luma)
    chroma = _broad(own_chroma) + np.float32(vividness) * (chroma - _broad(chroma))
    rounded: Pixels = np.clip(luma + chroma + 0.5, 0, 255).astype(np.uint8)
    return rounded


def paste(canvas: Pixels, patch: Patch) -> None:
    """Blend into `canvas` (h x w x 3), in place. Pixels outside the face's mask are not touched."""
    size = patch.restored.shape[0]
    left, top, right, bottom = _reach(patch.transform, size, canvas.shape[1], canvas.shape[0])
    if left >= right:
        return
    for row in range(top, bottom, STRIP_PX):
        strip = canvas[row : min(row + STRIP_PX, bottom), left:right]
        _blend_strip(strip, patch, compose(np.array([[1.0, 0, left], [0, 1, row]]), patch.transform))


def _blend_strip(strip: Pixels, patch: Patch, transform: Transform) -> None:
    """`transform` maps the strip's own coordinates to aligned ones."""
    out = (strip.shape[1], strip.shape[0])
    back = invert(transform)
    mask = np.asarray(warp(_mask(patch.restored.shape[0]), back, out), np.float32) * (patch.weight / 255)
    before = strip.astype(np.float32)
    change = np.asarray(warp(Image.fromarray(patch.restored), back, out), np.float32) - before
    if patch.detail > 0:
        smooth = np.asarray(warp(Image.fromarray(patch.aligned), back, out), np.float32)
        change += patch.detail * (before - smooth)
    before += mask[..., None] * change
    np.clip(before + 0.5, 0, 255, out=before)
    strip[...] = before.astype(np.uint8)


def _reach(transform: Transform, size: int, width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the aligned square in the canvas; left >= right if they do not meet."""
    corners = np.array([(0, 0), (size, 0), (0, size), (size, size)], float)
    back = invert(transform)
    spots = corners @ back[:, :2].T + back[:, 2]
    left, top = (max(0, math.floor(low)) for low in spots.min(axis=0))
    right, bottom = (min(side, math.ceil(high)) for side, high in zip((width, height), spots.max(axis=0), strict=True))
    return (left, top, right, bottom) if top < bottom else (0, 0, 0, 0)


@cache
def _mask(size: int) -> Image.Image:
    """255 over the face, falling softly to 0 towards the border of the aligned square: a superellipse."""
    axis = np.abs(np.linspace(-0.5, 0.5, size, dtype=np.float32))
    distance = (axis[:, None] ** 4 + axis[None, :] ** 4) ** 0.25
    inside = np.clip((MASK_REACH - distance) / MASK_SOFT, 0, 1)
    return Image.fromarray((inside * inside * (3 - 2 * inside) * 255 + 0.5).astype(np.uint8))


def _split(values: Floats) -> tuple[Floats, Floats]:
    """Luma (size x size x 1, the mean of the channels) and what the channels differ from it (size x size x 3)."""
    luma = values.mean(axis=2, keepdims=True)
    return luma, values - luma


def _broad(values: Floats) -> Floats:
    """The slow part of each channel: averages of COLOUR_CELLS x COLOUR_CELLS cells, smoothly joined."""
    size, _, channels = values.shape
    cell = size // COLOUR_CELLS
    cells = values.reshape(COLOUR_CELLS, cell, COLOUR_CELLS, cell, channels).mean(axis=(1, 3))
    planes = (Image.fromarray(cells[..., each]) for each in range(channels))
    return np.stack([np.asarray(plane.resize((size, size), Image.Resampling.BICUBIC)) for plane in planes], axis=2)


def _spread(chroma: Floats) -> float:
    """How colourful: the standard deviation over the picture."""
    return float((chroma - chroma.mean(axis=(0, 1))).std())
