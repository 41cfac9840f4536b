"""The parameters of the upscaler, and how large its output is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.job.enhance import STANDARD, Enhance, OutputFormat, enhanced_size
from engine.limits import MAX_SIDE_PX

SIDES = st.integers(1, MAX_SIDE_PX)


def test_nothing_given_keeps_the_size_and_crops_nothing():
    """The defaults are those of Face Recovery 3 where both models have a parameter."""
    assert Enhance().model_dump() == {
        "output_width": None,
        "output_height": None,
        "input_width": None,
        "input_height": None,
        "output_format": "jpeg",
        "crop_to_fill": False,
    }


def test_the_form_names_the_model_and_what_differs():
    """What is sent is the model, the format, and what the user changed."""
    assert Enhance().form() == {"model": "Standard V2", "output_format": "jpeg"}
    asked = Enhance.parse({"output_width": "2048", "crop_to_fill": "true", "output_format": "png"})
    assert asked.form() == {
        "model": STANDARD,
        "output_format": "png",
        "output_width": "2048",
        "crop_to_fill": "true",
    }
    assert Enhance.parse({name: text for name, text in asked.form().items() if name != "model"}) == asked


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"output_width": 0}, "--output-width: 0 is not a whole number from 1 to 32000"),
        ({"output_height": "32001"}, "--output-height: 32001 is not a whole number from 1 to 32000"),
        ({"crop_to_fill": "perhaps"}, "--crop-to-fill: perhaps is not true or false"),
        ({"output_format": "webp"}, "--output-format: webp is not one of jpeg, jpg, png, tiff, tif"),
        ({"input_width": -1}, "--input-width: -1 is not a whole number of pixels, at least 1"),
        ({"strength": "s3cret"}, "--strength: Standard V2 has no such parameter"),
    ],
)
def test_wrong_values_are_one_line_that_says_what_is_right(values: dict[str, object], line: str):
    """The line names the parameter as it was spelled, the value and the range; a stranger's value is not repeated."""
    with pytest.raises(UsageError) as caught:
        Enhance.parse(values, lambda name: f"--{name.replace('_', '-')}")
    assert str(caught.value) == line


def test_every_parameter_says_its_range():
    """No parameter is refused in the validator's words."""
    assert Enhance.ranges.keys() == Enhance.model_fields.keys()


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, (400, 300)),
        ({"output_width": 800}, (800, 600)),
        ({"output_height": 150}, (200, 150)),
        ({"output_width": 800, "output_height": 600}, (800, 600)),
        ({"output_width": 800, "output_height": 800}, (800, 600)),
        ({"output_width": 4000, "output_height": 300}, (400, 300)),
        ({"output_width": 800, "output_height": 800, "crop_to_fill": True}, (800, 800)),
        ({"output_width": 800, "crop_to_fill": True}, (800, 600)),
        ({"output_width": 1, "output_height": 1}, (1, 1)),
    ],
)
def test_the_size_of_the_output(asked: dict[str, object], size: tuple[int, int]):
    """Neither side: as it is. One: the aspect is kept. Both: filled if cropping is asked for, else fitted inside."""
    assert enhanced_size(400, 300, Enhance.parse(asked)) == size


@given(width=SIDES, height=SIDES, box_width=SIDES, box_height=SIDES)
def test_a_fitted_picture_fits_and_touches_the_box(width: int, height: int, box_width: int, box_height: int):
    """Whatever the aspects, the output is inside the box, fills one of its sides, and has pixels."""
    got = enhanced_size(width, height, Enhance(output_width=box_width, output_height=box_height))
    assert 1 <= got[0] <= box_width
    assert 1 <= got[1] <= box_height
    assert got[0] == box_width or got[1] == box_height


def test_short_format_names_are_taken():
    """The formats are those of the other model."""
    assert Enhance.parse({"output_format": "tif"}).output_format is OutputFormat.TIF
