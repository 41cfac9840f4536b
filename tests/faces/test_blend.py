"""Pasting touches the face's mask, evenly, and nothing else."""

import numpy as np
import pytest

from engine.faces.blend import STRIP_PX, Patch, paste, settle_colour

SIZE = 64


def patch(restored: np.ndarray, aligned: np.ndarray, transform: list[list[float]], **how: float) -> Patch:
    return Patch(
        restored=restored,
        aligned=aligned,
        transform=np.array(transform, float),
        **{"weight": 1.0, "detail": 0.0, **how},
    )


def flat(tone: int, size: int = SIZE) -> np.ndarray:
    return np.full((size, size, 3), tone, np.uint8)


def test_full_inside_none_outside() -> None:
    """The middle of the face is the restored one, the rest of the picture is not touched."""
    canvas = flat(100, 300)
    paste(canvas, patch(flat(200), flat(100), [[1, 0, -50], [0, 1, -90]]))
    assert (canvas[112:132, 72:92] == 200).all()
    outside = np.ones((300, 300), bool)
    outside[90:154, 50:114] = False
    assert (canvas[outside] == 100).all()


def test_strips_do_not_show() -> None:
    """A face far larger than a strip is blended as if at once."""
    side = 3 * STRIP_PX
    canvas = flat(100, side)
    paste(canvas, patch(flat(200), flat(100), [[SIZE / side, 0, 0], [0, SIZE / side, 0]]))
    assert (canvas[side // 4 : -side // 4, side // 4 : -side // 4] == 200).all()
    assert np.abs(np.diff(canvas[..., 0].astype(int), axis=0)).max() <= 3
    assert np.array_equal(canvas, canvas[::-1])


@pytest.mark.parametrize("shift", [[[1, 0, -400], [0, 1, 0]], [[1, 0, 90], [0, 1, 90]]])
def test_a_face_beyond_the_canvas_changes_nothing(shift: list[list[float]]) -> None:
    """A patch that does not meet the canvas is no error and no change."""
    canvas = flat(100, 80)
    paste(canvas, patch(flat(200), flat(100), shift))
    assert (canvas == 100).all()


def test_detail_comes_on_top() -> None:
    """With full detail, what the aligned face could not hold of the picture survives restoration."""
    noise = np.random.default_rng(0).integers(60, 140, (256, 256, 1), np.uint8)
    transform = [[0.25, 0, 0], [0, 0.25, 0]]
    smooth, kept = (np.repeat(noise, 3, axis=2) for _ in range(2))
    paste(smooth, patch(flat(150), flat(100), transform))
    paste(kept, patch(flat(150), flat(100), transform, detail=1.0))
    middle = np.s_[100:150, 100:150]
    assert (smooth[middle] == 150).all()
    assert np.array_equal(kept[middle], np.repeat(noise, 3, axis=2)[middle] + 50)


def test_broad_colour_is_the_inputs() -> None:
    """A cast the model adds is taken out again, cell by cell."""
    random = np.random.default_rng(0)
    before = np.clip(random.normal(120, 20, (SIZE, SIZE, 3)), 0, 255).astype(np.uint8)
    after = before.astype(np.float32) + np.array([25, -10, 4], np.float32)
    assert np.abs(settle_colour(after, before).astype(int) - before).max() <= 1


def test_grey_gets_no_colour_from_the_model() -> None:
    """Whatever colours the model invents on a grey face, none is left."""
    random = np.random.default_rng(0)
    grey = np.repeat(random.integers(50, 200, (SIZE, SIZE, 1), np.uint8), 3, axis=2)
    invented = grey + random.normal(0, 30, (SIZE, SIZE, 3)).astype(np.float32)
    assert np.ptp(settle_colour(invented, grey), axis=2).max() == 0
