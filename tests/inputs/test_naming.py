"""Output names mirror the inputs' tree, and no two inputs share one."""

from pathlib import PurePath

import pytest

from engine.inputs.naming import Namer
from engine.job.parameters import OutputFormat


def _names(*places: str, output_format: OutputFormat = OutputFormat.JPEG) -> list[str]:
    namer = Namer(output_format)
    return [namer.name(PurePath(place)) for place in places]


@pytest.mark.parametrize(
    ("output_format", "place", "name"),
    [
        (OutputFormat.JPEG, "a.jpg", "a.jpg"),
        (OutputFormat.JPEG, "a.JPG", "a.JPG"),
        (OutputFormat.JPG, "a.jpeg", "a.jpeg"),
        (OutputFormat.JPEG, "a.png", "a.jpg"),
        (OutputFormat.JPEG, "a", "a.jpg"),
        (OutputFormat.JPEG, "a.b.c.tiff", "a.b.c.jpg"),
        (OutputFormat.JPEG, "sub/deep/a.png", "sub/deep/a.jpg"),
        (OutputFormat.PNG, "a.jpg", "a.png"),
        (OutputFormat.PNG, "a.PNG", "a.PNG"),
        (OutputFormat.TIFF, "a.tif", "a.tif"),
        (OutputFormat.TIF, "a.jpg", "a.tif"),
        (OutputFormat.JPEG, ".jpg", ".jpg.jpg"),
        (OutputFormat.JPEG, "a.jpg.bak", "a.jpg.jpg"),
        (OutputFormat.JPEG, "a .jpg", "a .jpg"),
        (OutputFormat.JPEG, "👨‍👩‍👧 🏖.png", "👨‍👩‍👧 🏖.jpg"),
        (OutputFormat.JPEG, "two\nlines.png", "two\nlines.jpg"),
        (OutputFormat.JPEG, "caf\udce9.png", "caf\udce9.jpg"),
    ],
)
def test_a_name_keeps_all_but_the_wrong_extension(output_format: OutputFormat, place: str, name: str):
    """The output is found where the input was, under its own name, with an extension that tells the truth."""
    assert _names(place, output_format=output_format) == [name]


def test_inputs_that_differ_only_in_extension_are_told_apart():
    """a.jpg and a.png both have an output; the second says what it was."""
    assert _names("a.jpg", "a.png", "a.tif", "b/a.png") == ["a.jpg", "a.png.jpg", "a.tif.jpg", "b/a.jpg"]


def test_a_third_with_the_same_name_is_counted():
    """When the old extension is taken too, a number tells them apart."""
    assert _names("a.jpg", "a.png.jpg", "a.png", "a.png") == ["a.jpg", "a.png.jpg", "a.png-2.jpg", "a.png-3.jpg"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.jpg", "A.JPG"),
        ("Straße.jpg", "STRASSE.jpg"),
        ("caf\u00e9.jpg", "cafe\u0301.jpg"),
        ("CAFE\u0301.jpg", "caf\u00e9.jpg"),
        ("\u0390.jpg", "\u03aa\u0301.jpg"),
        ("Dir/x.jpg", "dir/X.jpg"),
        ("\u212b.jpg", "\u00e5.jpg"),
    ],
)
def test_names_that_some_file_systems_confuse_are_told_apart(one: str, other: str):
    """Names that differ only in case or Unicode form would overwrite each other on a Mac or a Windows share."""
    first, second = _names(one, other)
    assert first == one
    assert second == other + PurePath(other).suffix


def test_no_output_has_the_name_of_a_folder_that_another_needs():
    """A folder called a.jpg and a picture a.png, or the other way round: both outputs can be written."""
    assert _names("a.jpg/b.png", "a.png") == ["a.jpg/b.jpg", "a.png.jpg"]
    assert _names("a.png", "a.jpg/b.png", "a.jpg/c.png") == ["a.jpg", "a.jpg-2/b.jpg", "a.jpg-2/c.jpg"]
    assert _names("x/a.png", "x/A.JPG/d/b.png") == ["x/a.jpg", "x/A.JPG-2/d/b.jpg"]


def test_names_taken_by_an_earlier_plan_are_not_given_again():
    """A resumed run knows which outputs, and which folders, are spoken for."""
    namer = Namer(OutputFormat.JPEG)
    assert namer.take("a.jpg")
    assert namer.take("b.jpg/c.jpg")
    assert not namer.take("A.JPG")
    assert not namer.take("b.jpg")
    assert not namer.take("a.jpg/d.jpg")
    assert [namer.name(PurePath(place)) for place in ("a.png", "b.png")] == ["a.png.jpg", "b.png.jpg"]


@pytest.mark.parametrize("letter", ["a", "é", "顔", "👤", "\udcff"])
def test_names_at_the_limit_are_shortened_and_stay_apart(letter: str):
    """255 bytes a name is all that most file systems have; `.part` and a number must fit in there too."""
    size = len(letter.encode(errors="surrogateescape"))
    stem = letter * ((255 - 4) // size)
    names = _names(f"{stem}.jpg", f"{stem}.png", f"{stem[:-1]}b.jpg")
    assert len(set(names)) == 3
    for name in names:
        assert len(name.encode(errors="surrogateescape")) <= 255 - len(".part")
        assert name.endswith(".jpg")
        assert "\ufffd" not in name


def test_a_name_just_within_the_limit_is_kept():
    """Nothing is shortened without need."""
    assert _names("a" * 236 + ".jpg") == ["a" * 236 + ".jpg"]
