"""The output has the size that was asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InputError
from engine.faces.picture import MAX_PIXELS, MAX_SIDE_PX
from engine.faces.resize import checked_output_size, resize

sides = st.integers(1, MAX_SIDE_PX)
wishes = st.none() | st.integers(-5, MAX_SIDE_PX + 5)


@given(sides, sides, wishes, wishes)
def test_every_size_is_sound_or_refused(width: int, height: int, wide: int | None, high: int | None) -> None:
    """Whatever is asked, the answer is within the limits, has the sides asked for, or is an InputError."""
    try:
        out_width, out_height = checked_output_size(width, height, wide, high)
    except InputError:
        return
    assert 1 <= out_width <= MAX_SIDE_PX
    assert 1 <= out_height <= MAX_SIDE_PX
    assert out_width * out_height <= MAX_PIXELS
    assert wide in (None, out_width)
    assert high in (None, out_height)


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 2000))
def test_one_side_keeps_the_aspect(width: int, height: int, wide: int) -> None:
    """The other side follows to the nearest pixel, and is never nothing."""
    exact = height * wide / width
    try:
        _, high = checked_output_size(width, height, wide, None)
    except InputError:
        assert exact > MAX_SIDE_PX or exact * wide > MAX_PIXELS * 0.99
    else:
        assert high == max(1, high)
        assert abs(high - exact) <= 0.5 or high == 1
    assert checked_output_size(wide, 10, None, None) == (wide, 10)


@pytest.mark.parametrize(
    ("wide", "high", "line"),
    [(32_001, None, "at most 32,000"), (20_000, 20_000, "at most 100 MP"), (0, None, "at least 1")],
)
def test_too_much_is_said(wide: int, high: int | None, line: str) -> None:
    """A refusal speaks of the output and has the limit."""
    with pytest.raises(InputError, match=f"^the output is .*{line}"):
        checked_output_size(1000, 10, wide, high)


def test_transparent_colour_does_not_bleed() -> None:
    """Enlarging a red shape on transparent green shows no green at its edge."""
    rgb = np.full((20, 20, 3), (0, 255, 0), np.uint8)
    alpha = np.zeros((20, 20), np.uint8)
    rgb[5:15, 5:15], alpha[5:15, 5:15] = (255, 0, 0), 255
    big, big_alpha = resize(rgb, alpha, 60, 60)
    assert big_alpha is not None
    assert big[big_alpha > 8][:, 1].max() < 10


def test_the_input_is_not_shared() -> None:
    """The answer may be painted on, also where no size changed."""
    rgb = np.zeros((5, 5, 3), np.uint8)
    resize(rgb, None, 5, 5)[0][...] = 9
    assert not rgb.any()
