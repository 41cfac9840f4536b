"""Names of outputs and prices of pictures, over inputs that nobody thought of."""

import json
import os
import unicodedata
from pathlib import PurePath

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.inputs.naming import Namer
from engine.inputs.text_list import url_candidate
from engine.job.parameters import Box, FaceRecovery, GrainModel, OutputFormat
from engine.job.price import credits_for
from engine.limits import output_size

PARTS = (
    st.sampled_from(
        ["a", "A", "b", "a.jpg", "A.JPG", "a.png", "a.jpg-2", "é.png", "e\u0301.png", "a.png.jpg", "ß", "SS"]
    )
    | st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
    | st.binary(min_size=1, max_size=8).map(os.fsdecode)
    | st.integers(230, 255).map(lambda size: "n" * size)
).filter(lambda part: part not in (".", "..") and "/" not in part and "\0" not in part)
SUFFIXES = {"jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"), "png": (".png",), "tiff": (".tif", ".tiff")}
PLACES = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: PurePath(*parts))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


@settings(max_examples=200, deadline=None)
@given(places=st.lists(PLACES, min_size=1, max_size=12), output_format=st.sampled_from(OutputFormat))
def test_no_two_inputs_ever_share_an_output(places: list[PurePath], output_format: OutputFormat):
    """Whatever the inputs are called: every output has a name and a path of its own on any file system."""
    namer = Namer(output_format)
    names = [namer.name(place) for place in places]
    files = {_folded(name) for name in names}
    assert len(files) == len(names)
    folders = {_folded(parent.as_posix()) for name in names for parent in PurePath(name).parents} - {"."}
    assert not files & folders
    for name in names:
        path = PurePath(name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert len(os.fsencode(path.name)) <= 250
        assert path.suffix.lower() in SUFFIXES[output_format.canonical]


@settings(max_examples=100, deadline=None)
@given(places=st.lists(PLACES, min_size=1, max_size=8, unique=True), cut=st.integers(0, 8))
def test_a_continued_plan_gives_the_same_names(places: list[PurePath], cut: int):
    """Names taken from an earlier plan's lines count like names given by this process."""
    straight = Namer(OutputFormat.JPEG)
    names = [straight.name(place) for place in places]
    resumed = Namer(OutputFormat.JPEG)
    assert all(resumed.take(name) for name in names[:cut])
    assert [resumed.name(place) for place in places[cut:]] == names[cut:]


@settings(max_examples=200, deadline=None)
@given(tail=st.text(max_size=40))
def test_any_url_has_a_safe_place(tail: str):
    """No URL, however strange, is an error or leads out of the output folder."""
    candidate = url_candidate("https://example.org/" + tail)
    assert len(candidate.place.parts) == 1
    assert not candidate.place.is_absolute()
    assert candidate.place.name not in ("", ".", "..")
    assert not any(character in candidate.place.name for character in '\0\n/\\:*?"<>|')


@settings(max_examples=200, deadline=None)
@given(width=st.integers(1, 32_000), height=st.integers(1, 32_000))
def test_the_price_is_a_credit_for_each_begun_24_megapixels(width: int, height: int):
    """In whole numbers, where no rounding can creep in."""
    assert credits_for(width, height) == -(-width * height // 24_000_000)


@settings(max_examples=200, deadline=None)
@given(width=st.integers(1, 32_000), height=st.integers(1, 32_000), asked=st.integers(1, 32_000))
def test_one_side_alone_keeps_the_aspect_to_half_a_pixel(width: int, height: int, asked: int):
    """The other side is the nearest whole number of pixels, at least one."""
    out_width, out_height = output_size(width, height, asked, None)
    assert out_width == asked
    assert out_height == 1 or abs(out_height - height * asked / width) <= 0.5


SHARES = st.floats(0.0, 1.0)
SIDES = st.none() | st.integers(1, 32_000)
COORDINATES = st.floats(-1e6, 1e6)
BOXES = st.builds(
    Box, x=COORDINATES, y=COORDINATES, width=st.floats(0.01, 1e5), height=st.floats(0.01, 1e5), score=SHARES
)
PARAMETERS = st.builds(
    FaceRecovery,
    strength=SHARES,
    grain=st.booleans(),
    grain_model=st.sampled_from(GrainModel),
    grain_density=SHARES,
    grain_size=st.floats(1.0, 5.0),
    grain_strength=SHARES,
    output_width=SIDES,
    output_height=SIDES,
    input_width=SIDES,
    input_height=SIDES,
    iai_packed_metadata=st.none() | st.lists(BOXES, max_size=3).map(tuple),
    reference_uri=st.none() | st.text(st.characters(codec="utf-8"), max_size=20),
    output_format=st.sampled_from(OutputFormat),
)


@settings(max_examples=150, deadline=None)
@given(parameters=PARAMETERS)
def test_what_is_sent_means_what_was_meant(parameters: FaceRecovery):
    """The form, read back as a server reads it, gives the same parameters; and only what differs is in it."""
    form = parameters.form()
    assert form.pop("model") == "Faces"
    assert FaceRecovery.parse(form) == parameters
    defaults = FaceRecovery()
    differing = {name for name in FaceRecovery.model_fields if getattr(parameters, name) != getattr(defaults, name)}
    assert form.keys() == differing | {"output_format"}


@settings(max_examples=100, deadline=None)
@given(boxes=st.lists(BOXES, max_size=3))
def test_the_packings_of_boxes_mean_the_same(boxes: list[Box]):
    """A flat list, its text, and the text of objects, for any boxes."""
    flat = [number for box in boxes for number in (box.x, box.y, box.width, box.height, box.score)]
    objects = [{"box": [box.x, box.y, box.width, box.height], "score": box.score} for box in boxes]
    for packing in (flat, json.dumps(flat), json.dumps(objects)):
        assert FaceRecovery.parse({"iai_packed_metadata": packing}).iai_packed_metadata == tuple(boxes)
