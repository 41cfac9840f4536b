"""Tiles: every pixel belongs to one, neighbours overlap, and no seam shows."""

import itertools

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.upscale import tiles
from engine.upscale.network import Network
from engine.upscale.tiles import MARGIN, TILE, enlarge, spans


@given(length=st.integers(1, 32_000))
def test_tiles_cover_a_side_once_and_see_their_neighbours(length: int):
    """The spans join without gap, are of one size that is bounded, and see a margin beyond each seam."""
    cut = spans(length)
    assert (cut[0].start, cut[0].low, cut[-1].end, cut[-1].high) == (0, 0, length, length)
    assert len({span.high - span.low for span in cut}) == 1
    assert cut[0].high <= TILE
    for one, following in itertools.pairwise(cut):
        assert one.end == following.start
        assert min(one.high - one.end, following.start - following.low) >= MARGIN


def _nearest(rgb):
    return rgb.repeat(4, axis=0).repeat(4, axis=1)


@pytest.mark.parametrize("size", [(1, 1), (3, 500), (160, 161), (400, 300)])
def test_a_network_that_looks_at_single_pixels_shows_no_tiles_at_all(size: tuple[int, int]):
    """Whatever is laid where, each pixel lands at its place; the shares of the work rise to all of it."""
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    shares: list[float] = []
    assert (enlarge(rgb, _nearest, shares.append) == _nearest(rgb)).all()
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_tiles_that_differ_fade_into_each_other():
    """Where one tile is black and the next one white, no step is higher than the fade allows."""
    shades = itertools.cycle([0, 255])
    enlarged = enlarge(np.zeros((8, 300, 3), np.uint8), lambda rgb: np.full_like(_nearest(rgb), next(shades)), _ignore)
    assert np.abs(np.diff(enlarged.astype(int), axis=1)).max() <= 255 / (2 * 4 * tiles.FADE) + 1


def _ignore(_share: float) -> None: ...


def test_tiled_and_whole_hardly_differ():
    """A picture just too large for a tile: against the network's work in one piece, on average below 1 of 255, at
    the seam no steeper."""
    rgb = np.asarray(Image.fromarray(skimage.data.astronaut()).crop((130, 60, 290, 84)).resize((168, 24)))
    network = Network(threads=1)
    whole = network.run(rgb).astype(int)
    tiled = enlarge(rgb, network.run, _ignore).astype(int)
    difference = np.abs(tiled - whole)
    assert 0 < difference.mean() < 1
    assert np.percentile(difference, 99) < 16
    seam = 4 * spans(168)[0].end
    steps = [np.abs(np.diff(pixels[:, seam - 40 : seam + 40], axis=1)).mean() for pixels in (tiled, whole)]
    assert steps[0] < 1.15 * steps[1]
