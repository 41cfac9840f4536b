"""The parameters of Face Recovery 3: ranges, packings, and what is sent."""

import json
import math

import pytest

from engine.errors import UsageError
from engine.job.parameters import MAX_SIDE_PX, MODEL, Box, FaceRecovery, GrainModel, OutputFormat

SHARES = ("strength", "grain_density", "grain_strength")


def test_the_defaults_are_the_model_pages():
    """Nothing given is what the vendor does with nothing given."""
    assert FaceRecovery().model_dump() == {
        "strength": 1.0,
        "grain": False,
        "grain_model": "silver",
        "grain_density": 0.5,
        "grain_size": 1.0,
        "grain_strength": 0.5,
        "output_width": None,
        "output_height": None,
        "input_width": None,
        "input_height": None,
        "iai_packed_metadata": None,
        "reference_uri": None,
        "output_format": "jpeg",
    }


ACCEPTED = [
    *((name, value) for name in SHARES for value in (0, 0.0, "0.0", 0.25, "0.25", 1, "1.0")),
    *(("grain_size", value) for value in (1, 1.0, "1.0", 3.7, 5, "5.0")),
    *((side, value) for side in ("output_width", "output_height") for value in (1, "1", 4000, MAX_SIDE_PX, "32000")),
    *((side, value) for side in ("input_width", "input_height") for value in (1, "1", 100_000)),
    *(("grain_model", value) for value in GrainModel),
    *(("output_format", value) for value in OutputFormat),
    *(("grain", value) for value in (True, False, "true", "false")),
]
A_SHARE = "a number from 0.0 to 1.0"
A_SIDE = "a whole number from 1 to 32000"
REFUSED = [
    *((name, value, A_SHARE) for name in SHARES for value in (-0.001, "-0.1", 1.001, 2, "nan", math.inf, "x", "")),
    *(("grain_size", value, "a number from 1.0 to 5.0") for value in (0.999, 0, -1, 5.001, "nan", "-inf", "big", None)),
    *((f"output_{side}", value, A_SIDE) for side in ("width", "height") for value in (0, -1, 32_001, 10.5, "1e9", "a")),
    *(
        (f"input_{side}", value, "a whole number of pixels, at least 1")
        for side in ("width", "height")
        for value in (0, -5, 1.5, "wide")
    ),
    *(("grain_model", value, "one of silver, gaussian, grey") for value in ("gold", "", "SILVER", 1)),
    *(("output_format", value, "one of jpeg, jpg, png, tiff, tif") for value in ("webp", "JPEG", "", None)),
    *(("grain", value, "true or false") for value in ("maybe", 2, "", None)),
]


@pytest.mark.parametrize(("name", "value"), ACCEPTED)
def test_values_at_and_inside_the_bounds_are_taken(name: str, value: object):
    """Each bound belongs to the range, as text or typed."""
    taken = getattr(FaceRecovery.parse({name: value}), name)
    assert str(taken).casefold() == str(type(taken)(value) if not isinstance(taken, bool) else value).casefold()


@pytest.mark.parametrize(("name", "value", "expected"), REFUSED)
def test_values_outside_are_refused_in_one_line_that_says_it_all(name: str, value: object, expected: str):
    """The line names the parameter as the user spelled it, the value, and what would be right."""
    with pytest.raises(UsageError) as caught:
        FaceRecovery.parse({name: value}, lambda name: f"--{name.replace('_', '-')}")
    assert str(caught.value) == f"--{name.replace('_', '-')}: {value} is not {expected}"


def test_every_parameter_with_a_range_says_its_range():
    """No parameter is refused in the validator's words where the page has a range."""
    free_form = {"iai_packed_metadata", "reference_uri"}
    assert {name for name, _value, _expected in REFUSED} == FaceRecovery.model_fields.keys() - free_form


def test_all_that_is_wrong_is_said_at_once():
    """Two mistakes are named in one go."""
    with pytest.raises(UsageError, match=r"^strength: 2 is not .*; grain_size: 9 is not "):
        FaceRecovery.parse({"strength": 2, "grain_size": 9})


def test_unknown_names_are_refused_without_their_value():
    """The vendor would ignore a misspelt name silently; here it is an error. Its value may be a secret."""
    with pytest.raises(UsageError) as caught:
        FaceRecovery.parse({"strenght": "s3cret"})
    assert str(caught.value) == "strenght: Face Recovery 3 has no such parameter"


def test_the_parameters_are_frozen():
    """Values that cross boundaries do not change on the way."""
    with pytest.raises(ValueError, match="frozen"):
        FaceRecovery().strength = 0.5


FACES = (Box(x=10, y=20, width=30, height=40, score=0.9), Box(x=1.5, y=2, width=3, height=4, score=1))
FLAT = [10, 20, 30, 40, 0.9, 1.5, 2, 3, 4, 1]
OBJECTS = [{"box": [10, 20, 30, 40], "score": 0.9}, {"box": [1.5, 2, 3, 4], "score": 1}]


@pytest.mark.parametrize("packing", [FLAT, json.dumps(FLAT), json.dumps(OBJECTS)], ids=["list", "text", "objects"])
def test_the_three_packings_of_face_boxes_mean_the_same(packing: object):
    """A flat list, a JSON text of it, and a JSON text of objects give the same boxes."""
    assert FaceRecovery.parse({"iai_packed_metadata": packing}).iai_packed_metadata == FACES


def test_a_box_without_a_score_is_certain():
    """The score of an object may be left out."""
    (box,) = FaceRecovery.parse({"iai_packed_metadata": '[{"box": [1, 2, 3, 4]}]'}).iai_packed_metadata or ()
    assert box.score == 1.0


@pytest.mark.parametrize("packing", ["[]", []])
def test_no_boxes_are_a_statement_too(packing: object):
    """An empty list says that there are no faces; that is not the same as saying nothing."""
    parameters = FaceRecovery.parse({"iai_packed_metadata": packing})
    assert parameters.iai_packed_metadata == ()
    assert parameters.form()["iai_packed_metadata"] == "[]"


@pytest.mark.parametrize(
    ("packing", "complaint"),
    [
        ("faces", "faces: is not JSON"),
        ([1, 2, 3, 4], "the value: a packed list holds five numbers a face: x, y, width, height, score"),
        ([1, 2, 3, 4, 1.5], "face 1, score: 1.5: input should be less than or equal to 1"),
        ([1, 2, 0, 4, 1], "face 1, width: 0: input should be greater than 0"),
        ('[{"box": [1, 2, 3]}]', ""),
        ('[{"box": [1, 2, 3, 4], "x": 9}]', ""),
        ('[{"box": [1, 2, 3, 4], "name": "Ann"}]', ""),
        ("[[1, 2, 3, 4, 1]]", ""),
        ('{"box": [1, 2, 3, 4]}', ""),
        ("5", ""),
        (["a", "b", "c", "d", "e"], ""),
    ],
)
def test_boxes_that_are_none_are_refused(packing: object, complaint: str):
    """Whatever is no list of boxes is one line about `iai_packed_metadata`, never another error."""
    with pytest.raises(UsageError) as caught:
        FaceRecovery.parse({"iai_packed_metadata": packing})
    assert str(caught.value).startswith(f"iai_packed_metadata: {complaint}")
    assert "\n" not in str(caught.value)


def test_a_reference_that_no_request_can_carry_is_refused():
    """Text that is not valid UTF-8 is found before anything is sent."""
    with pytest.raises(UsageError, match=r"reference_uri: .* is not valid UTF-8"):
        FaceRecovery.parse({"reference_uri": "file:///\udcff.jpg"})


def test_the_form_says_model_and_format_and_what_differs():
    """The vendor's defaults stay the vendor's: only what the user changed is sent."""
    assert FaceRecovery().form() == {"model": MODEL, "output_format": "jpeg"}
    assert FaceRecovery.parse({"strength": 1.0, "grain_size": "1", "grain": "false"}).form() == FaceRecovery().form()
    given = {"grain": True, "grain_model": "grey", "strength": 0.25, "output_width": 800, "output_format": "tif"}
    assert FaceRecovery.parse(given).form() == {
        "model": "Faces",
        "output_format": "tif",
        "grain": "true",
        "grain_model": "grey",
        "strength": "0.25",
        "output_width": "800",
    }


def test_the_form_sends_boxes_as_a_flat_list():
    """Of the packings the plainest one goes out."""
    form = FaceRecovery(iai_packed_metadata=FACES).form()
    assert json.loads(form["iai_packed_metadata"]) == FLAT


@pytest.mark.parametrize(("name", "canonical"), [("jpg", "jpeg"), ("jpeg", "jpeg"), ("tif", "tiff"), ("png", "png")])
def test_short_format_names_mean_the_long_ones(name: str, canonical: str):
    """`jpg` and `tif` are other names of the same formats."""
    assert OutputFormat(name).canonical == canonical
