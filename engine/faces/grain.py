"""Film grain over a finished picture.

- silver: clumps of light and dark, strongest in the mid-tones and gone in black and white, as on film;
- gaussian: every channel on its own, evenly over all tones, as of a sensor;
- grey: as gaussian, but the same in all channels.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.faces.options import Grain
from engine.faces.picture import Floats, Pixels

__all__ = ["add_grain"]

TILE_PX: Final = 512  # noise is drawn tile by tile: memory stays flat; a cut through noise can't be seen
FULL_DEVIATION: Final = 40.0  # of 255, of a particle at strength 1: clearly coarse, the picture still readable
CLUMP: Final = 3  # particles across a clump of silver
CLUMPING: Final = 0.45  # share of silver's variance that its clumps have


def add_grain(rgb: Pixels, grain: Grain, seed: int) -> None:
    """Lay grain over h x w x 3, in place. The same seed, settings and size give the same grain."""
    if grain.strength <= 0 or grain.density <= 0:
        return
    height, width = rgb.shape[:2]
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            random = np.random.default_rng((seed % 2**64, top // TILE_PX, left // TILE_PX))
            _grain_tile(rgb[top : top + TILE_PX, left : left + TILE_PX], grain, random)


def _grain_tile(tile: Pixels, grain: Grain, random: np.random.Generator) -> None:
    height, width = tile.shape[:2]
    tones = tile.astype(np.float32)
    channels = 3 if grain.model == "gaussian" else 1
    # A whole tile is drawn, also where the picture ends in it: a few particles have no deviation to go by.
    noise = _particles(TILE_PX, TILE_PX, channels, grain, random)[:height, :width]
    noise = noise * np.float32(FULL_DEVIATION * grain.strength)
    if grain.model == "silver":
        luma = tones @ np.array([0.299, 0.587, 0.114], np.float32) / 255
        noise *= (4 * luma * (1 - luma))[..., None]
    tones += noise
    np.clip(tones + 0.5, 0, 255, out=tones)
    tile[...] = tones.astype(np.uint8)


def _particles(height: int, width: int, channels: int, grain: Grain, random: np.random.Generator) -> Floats:
    """height x width x channels: `density` of the particles standard normal, the others zero."""
    shape = (max(1, round(height / grain.size)), max(1, round(width / grain.size)))
    noise = random.standard_normal((*shape, channels), np.float32)
    if grain.model == "silver":
        noise = noise * np.float32((1 - CLUMPING) ** 0.5) + _clumps(shape, random) * np.float32(CLUMPING**0.5)
    noise *= (random.random(shape, np.float32) < grain.density)[..., None]
    if shape == (height, width):
        return noise
    return np.stack([_spread_out(noise[..., each], (width, height)) for each in range(channels)], axis=2)


def _clumps(shape: tuple[int, int], random: np.random.Generator) -> Floats:
    coarse = random.standard_normal((shape[0] // CLUMP + 1, shape[1] // CLUMP + 1), np.float32)
    smooth = _spread_out(coarse, (shape[1], shape[0]))
    return smooth[..., None] / max(float(smooth.std()), 1e-6)


def _spread_out(values: npt.NDArray[np.float32], size: tuple[int, int]) -> Floats:
    return np.asarray(Image.fromarray(values).resize(size, Image.Resampling.BICUBIC))
