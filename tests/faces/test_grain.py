"""Grain is what was asked for, and the same each time."""

import numpy as np
import pytest

from engine.faces.grain import add_grain
from engine.faces.options import Grain, GrainModel

MODELS: tuple[GrainModel, ...] = ("silver", "gaussian", "grey")


def grained(grain: Grain, tone: int = 128, seed: int = 7, size: tuple[int, int] = (600, 700)) -> np.ndarray:
    """What was added to an even picture, as height x width x 3 integers."""
    rgb = np.full((*size, 3), tone, np.uint8)
    add_grain(rgb, grain, seed)
    return rgb.astype(int) - tone


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_grain(model: GrainModel) -> None:
    """A seed is all it takes to get the same picture again; another one gives another."""
    grain = Grain(model=model, size=2)
    assert np.array_equal(grained(grain), grained(grain))
    assert not np.array_equal(grained(grain), grained(grain, seed=8))
    assert not np.array_equal(grained(grain), grained(grain, seed=-7))


@pytest.mark.parametrize("model", MODELS)
def test_brightness_stays(model: GrainModel) -> None:
    """Grain makes a picture neither darker nor lighter."""
    assert abs(grained(Grain(model=model, density=1, strength=0.6)).mean()) < 0.4


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("nothing", [{"strength": 0.0}, {"density": 0.0}])
def test_none_is_none(model: GrainModel, nothing: dict[str, float]) -> None:
    """Strength 0 or density 0 leaves every pixel alone."""
    assert not grained(Grain(model=model, **nothing)).any()


@pytest.mark.parametrize("model", MODELS)
def test_strength_is_the_deviation(model: GrainModel) -> None:
    """Twice the strength is twice the deviation."""
    weak, strong = (grained(Grain(model=model, density=1, strength=each)).std() for each in (0.2, 0.4))
    assert strong / weak == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("density", [0.2, 0.5, 0.9])
def test_density_is_the_share_of_grained_pixels(density: float) -> None:
    """At particle size 1 that share of the pixels changes (but for the few whose grain rounds to nothing)."""
    changed = (grained(Grain(model="grey", density=density, strength=1)) != 0).any(axis=2).mean()
    assert changed == pytest.approx(density, abs=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_larger_particles_reach_further(model: GrainModel) -> None:
    """Neighbours are alike within a particle and strangers beyond it."""

    def kinship(size: float, apart: int) -> float:
        noise = grained(Grain(model=model, density=1, size=size, strength=0.5))[..., 0]
        return float(np.corrcoef(noise[:, apart:].ravel(), noise[:, :-apart].ravel())[0, 1])

    assert kinship(4, 2) > kinship(1, 2) + 0.2
    assert kinship(4, 40) < 0.05


def test_colours(small_portrait) -> None:
    """Gaussian grain is coloured, grey and silver grain are not."""
    spread = {model: np.ptp(grained(Grain(model=model)), axis=2).mean() for model in MODELS}
    assert spread["gaussian"] > 5
    assert spread["grey"] == spread["silver"] == 0


def test_silver_lives_in_the_mid_tones() -> None:
    """Silver grain is strongest in grey, weaker in shade and light, and absent in black and white."""
    deviation = {tone: grained(Grain(model="silver", density=1), tone=tone).std() for tone in (0, 40, 128, 215, 255)}
    assert deviation[0] == deviation[255] == 0
    assert deviation[128] > 1.5 * max(deviation[40], deviation[215]) > 0


def test_silver_clumps() -> None:
    """Silver particles gather: even at size 1, pixels three apart are alike, which gaussian ones are not."""
    silver, grey = (grained(Grain(model=model, density=1))[..., 0] for model in ("silver", "grey"))
    assert np.corrcoef(silver[:, 2:].ravel(), silver[:, :-2].ravel())[0, 1] > 0.2
    assert abs(np.corrcoef(grey[:, 2:].ravel(), grey[:, :-2].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (513, 5)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    """Pictures smaller than a particle or a tile take grain without harm."""
    for model in MODELS:
        grained(Grain(model=model, size=5), size=size)
