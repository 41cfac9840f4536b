"""What a picture costs, and how large it comes out."""

import pytest

from engine.job.price import MEGAPIXELS_A_CREDIT, credits_for
from engine.limits import output_size

# The model page's table.
TABLE = {1: 1, 4: 1, 8: 1, 16: 1, 24: 1, 32: 2, 40: 2, 50: 3, 64: 3, 100: 5}


@pytest.mark.parametrize(("megapixels", "price"), TABLE.items())
def test_the_model_pages_price_table(megapixels: int, price: int):
    """Every column of the published table."""
    assert credits_for(megapixels * 1000, 1000) == price


@pytest.mark.parametrize(
    ("width", "height", "price"),
    [(1, 1, 1), (6000, 4000, 1), (6001, 4000, 2), (24_000_000, 1, 1), (24_000_001, 1, 2), (32_000, 32_000, 43)],
)
def test_the_price_rises_just_beyond_each_multiple(width: int, height: int, price: int):
    """One pixel more than 24 megapixels costs the second credit; nothing is free."""
    assert credits_for(width, height) == price
    assert MEGAPIXELS_A_CREDIT == 24


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ((None, None), (400, 300)),
        ((800, None), (800, 600)),
        ((None, 150), (200, 150)),
        ((100, 100), (100, 100)),
        ((1, None), (1, 1)),
        ((None, 1), (1, 1)),
        ((401, None), (401, 301)),
    ],
)
def test_one_side_alone_keeps_the_aspect(asked: tuple[int | None, int | None], size: tuple[int, int]):
    """Neither side asked: as it is. One: the other follows, never below one pixel. Both: exactly these."""
    assert output_size(400, 300, *asked) == size


@pytest.mark.parametrize("tall", [(1, 32_000), (32_000, 1)])
def test_extreme_aspects_keep_at_least_a_pixel(tall: tuple[int, int]):
    """A strip one pixel wide stays at least one pixel wide."""
    assert min(output_size(*tall, 10, None)) >= 1
    assert min(output_size(*tall, None, 10)) >= 1
