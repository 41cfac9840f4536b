"""Upload filenames: unique to job, generation and stage, and known again as exactly that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pipeline.upload_name import Named, parse_upload_name, upload_name

COUNTS = st.integers(0, 10**11)


@given(named=st.builds(Named, COUNTS, COUNTS, st.integers(1, 9)), format_name=st.sampled_from(["jpeg", "png", "tiff"]))
def test_a_name_is_known_again(named: Named, format_name: str):
    """Whatever job, generation and stage, the name says them, and only to its own run."""
    name = upload_name("0123456789", named, format_name)
    assert parse_upload_name("0123456789", name) == named
    assert parse_upload_name("9876543210", name) is None


def test_the_first_generation_and_stage_keep_the_form_they_always_had():
    """A run that was begun by an earlier version is resumed under the names it sent."""
    assert upload_name("ab", Named(7), "jpeg") == "ab-000007.jpg"
    assert upload_name("ab", Named(7, 2), "tiff") == "ab-000007r2.tif"
    assert upload_name("ab", Named(7, 2, 2), "png") == "ab-000007r2s2.png"
    assert upload_name("ab", Named(7, stage=2), "png") == "ab-000007s2.png"


@pytest.mark.parametrize(
    "name",
    [
        *("", "ab", "ab-", "ab-x.jpg", "ab-7r.jpg", "ab-7r0.jpg", "ab-7r01.jpg", "ab-7rr1.jpg", "ab-٣.jpg", "cd-7.jpg"),
        *("ab-7s.jpg", "ab-7s1.jpg", "ab-7s0.jpg", "ab-7s02.jpg", "ab-7ss2.jpg", "ab-7s2r1.jpg", "ab-s2.jpg"),
    ],
)
def test_other_names_are_nobodys(name: str):
    """What no run would have written belongs to no job."""
    assert parse_upload_name("ab", name) is None
