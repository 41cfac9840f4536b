"""Alignment is a similarity, and it can be undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.faces.align import TEMPLATE_512, compose, crop_aligned, invert, similarity, to_template, warp

angles = st.floats(-3.1, 3.1)
scales = st.floats(0.05, 20)
shifts = st.floats(-5000, 5000)


def turned(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def applied(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ transform[:, :2].T + transform[:, 2]


@given(angles, scales, shifts, shifts)
def test_a_similarity_is_found_again(angle: float, scale: float, x: float, y: float) -> None:
    """Points moved by a rotation, an even scale and a shift give back just these."""
    known = turned(angle, scale, x, y)
    assert np.allclose(similarity(TEMPLATE_512, applied(known, TEMPLATE_512)), known, atol=1e-5, rtol=1e-6)


@given(st.lists(st.tuples(st.floats(0, 500), st.floats(0, 500)), min_size=5, max_size=5, unique=True))
def test_the_answer_is_always_a_similarity_that_does_not_mirror(points: list[tuple[float, float]]) -> None:
    """However odd the landmarks, the face is turned, scaled evenly and moved, nothing else."""
    if np.std(points) < 1:
        return
    linear = similarity(np.array(points), TEMPLATE_512)[:, :2]
    assert linear[0, 0] == pytest.approx(linear[1, 1], abs=1e-9)
    assert linear[0, 1] == pytest.approx(-linear[1, 0], abs=1e-9)


@given(angles, scales, shifts, shifts)
def test_no_nearby_similarity_fits_better(angle: float, scale: float, x: float, y: float) -> None:
    """The answer is the least squares one: small changes only make it worse."""
    random = np.random.default_rng(1)
    target = applied(turned(angle, scale, x, y), TEMPLATE_512 + random.normal(0, 20, (5, 2)))
    best = similarity(TEMPLATE_512, target)

    def error(transform: np.ndarray) -> float:
        return float(((applied(transform, TEMPLATE_512) - target) ** 2).sum())

    for change in (turned(0.01, 1, 0, 0), turned(0, 1.01, 0, 0), turned(0, 1, scale, 0), turned(0, 1, 0, -scale)):
        assert error(compose(best, change)) >= error(best) * (1 - 1e-9)


@given(angles, scales, shifts, shifts)
def test_invert_undoes(angle: float, scale: float, x: float, y: float) -> None:
    """A transform and its inverse leave points where they were."""
    there = turned(angle, scale, x, y)
    assert np.allclose(applied(compose(there, invert(there)), TEMPLATE_512), TEMPLATE_512, atol=1e-4)


def test_coinciding_landmarks_are_refused() -> None:
    """Five times the same point has no scale."""
    with pytest.raises(ValueError, match="coincide"):
        similarity(np.ones((5, 2)), TEMPLATE_512)


def test_there_and_back_is_the_same_picture(astronaut: Image.Image) -> None:
    """A face warped to the template and back lies where it was, to a fraction of a pixel."""
    transform = turned(0.3, 1.7, -250, -120)
    aligned = Image.fromarray(crop_aligned(np.asarray(astronaut), transform, 256))
    back = np.asarray(warp(aligned, invert(transform), astronaut.size), int)
    seen = np.asarray(warp(Image.new("L", (256, 256), 255), invert(transform), astronaut.size)) == 255
    inner = np.asarray(Image.fromarray(seen).resize((512, 512)))
    error = np.abs(back - np.asarray(astronaut, int))[inner]
    assert inner.sum() > 15_000
    assert error.mean() < 2.5
    shifted = np.abs(np.roll(back, 1, axis=1) - np.asarray(astronaut, int))[inner]
    assert error.mean() < shifted.mean() / 2


def test_beyond_the_border_the_picture_goes_on() -> None:
    """A face cut by the border is filled up with the colours of that border, not with black or the far side's."""
    ramp = np.repeat(np.linspace(20, 240, 40)[None, :, None], 40, axis=0).repeat(3, axis=2).astype(np.uint8)
    aligned = crop_aligned(ramp, np.array([[4.0, 0, 60], [0, 4, -90]]), 256)
    assert (aligned[:, :50] == 20).all()
    assert (aligned[:, 230:] == 240).all()


def test_shrinking_does_not_alias() -> None:
    """Eightfold shrinking averages: noise of single pixels nearly vanishes."""
    noise = np.random.default_rng(0).choice([0, 255], (512, 512, 1)).repeat(3, axis=2).astype(np.uint8)
    aligned = crop_aligned(noise, np.array([[1 / 8, 0, 0], [0, 1 / 8, 0]]), 64)
    assert aligned[2:-2, 2:-2].astype(float).std() < 25  # 127 / 8 is perfect


def test_landmarks_come_to_the_template(detector, astronaut: Image.Image) -> None:
    """The eyes of an aligned face lie where the model expects them."""
    transform = to_template(detector.find(np.asarray(astronaut))[0].landmarks, 256)
    aligned = crop_aligned(np.asarray(astronaut), transform, 256)
    found = detector.find(aligned)[0].landmarks
    assert np.abs(found - TEMPLATE_512 / 2).max() < 12
