"""Upload filenames: unique to job and generation, and known again as exactly that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pipeline.upload_name import parse_upload_name, upload_name

COUNTS = st.integers(0, 10**11)


@given(number=COUNTS, generation=COUNTS, format_name=st.sampled_from(["jpeg", "png", "tiff"]))
def test_a_name_is_known_again(number: int, generation: int, format_name: str):
    """Whatever job and generation, the name says them, and only to its own run."""
    name = upload_name("0123456789", number, generation, format_name)
    assert parse_upload_name("0123456789", name) == (number, generation)
    assert parse_upload_name("9876543210", name) is None


def test_the_first_generation_keeps_the_form_it_always_had():
    """A run that was begun by an earlier version is resumed under the names it sent."""
    assert upload_name("ab", 7, 0, "jpeg") == "ab-000007.jpg"
    assert upload_name("ab", 7, 2, "tiff") == "ab-000007r2.tif"


@pytest.mark.parametrize(
    "name",
    ["", "ab", "ab-", "ab-x.jpg", "ab-7r.jpg", "ab-7r0.jpg", "ab-7r01.jpg", "ab-7rr1.jpg", "ab-٣.jpg", "cd-7.jpg"],
)
def test_other_names_are_nobodys(name: str):
    """What no run would have written belongs to no job."""
    assert parse_upload_name("ab", name) is None
