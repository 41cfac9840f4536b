"""Walking a folder: everything in it is a candidate or has a reason, and nothing loops."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.inputs.folder import Globs, walk


def _places(root: Path, globs: Globs | None = None, without: tuple[Path, ...] = ()) -> list[str]:
    return [candidate.place.as_posix() for candidate in walk(root, globs or Globs(), without)]


def _problems(root: Path) -> dict[str, str]:
    return {each.place.as_posix(): each.problem for each in walk(root, Globs()) if each.problem}


def _make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_files_come_in_a_stable_order_with_folders_in_their_place(tmp_path: Path):
    """Names are sorted, level by level, whatever order the disk gives them in."""
    _make(tmp_path, "b.jpg", "a/z.jpg", "a/b/c.png", "c.jpg", "a.jpg")
    assert _places(tmp_path) == ["a/b/c.png", "a/z.jpg", "a.jpg", "b.jpg", "c.jpg"]
    for candidate in walk(tmp_path, Globs()):
        assert candidate.path == tmp_path / candidate.place
        assert candidate.problem == ""


def test_every_other_file_is_mentioned(tmp_path: Path):
    """Text, archives, files without an extension: whoever put them there gets a word about each."""
    _make(tmp_path, "notes.txt", "a.zip", "README", "x.jpg.bak")
    assert sorted(_places(tmp_path)) == ["README", "a.zip", "notes.txt", "x.jpg.bak"]


def test_hidden_files_and_litter_are_passed_over(tmp_path: Path):
    """What file managers leave behind is nobody's picture."""
    _make(
        tmp_path,
        ".DS_Store",
        "._a.jpg",
        ".hidden/a.jpg",
        "Thumbs.db",
        "desktop.ini",
        "Icon\r",
        "@eaDir/a.jpg/thumb.jpg",
        "$RECYCLE.BIN/x.jpg",
        "a.jpg",
    )
    assert _places(tmp_path) == ["a.jpg"]


def test_a_hidden_root_is_walked(tmp_path: Path):
    """A folder that the user names is meant, hidden or not."""
    _make(tmp_path / ".pictures", "a.jpg")
    assert _places(tmp_path / ".pictures") == ["a.jpg"]


@pytest.mark.parametrize(
    ("include", "exclude", "places"),
    [
        (("*.jpg",), (), ["A.JPG", "sub/b.jpg", "sub/deep/c.jpg"]),
        (("*.JPG", "*.png"), (), ["A.JPG", "sub/b.jpg", "sub/d.png", "sub/deep/c.jpg"]),
        (("sub/*",), (), ["sub/b.jpg", "sub/d.png", "sub/deep/c.jpg"]),
        ((), ("sub/deep/*",), ["A.JPG", "sub/b.jpg", "sub/d.png"]),
        (("*.jpg",), ("a.*",), ["sub/b.jpg", "sub/deep/c.jpg"]),
        (("[ab].jpg",), (), ["A.JPG", "sub/b.jpg"]),
        (("nothing*",), (), []),
    ],
)
def test_globs_choose_by_path_or_name_ignoring_case(tmp_path: Path, include, exclude, places):
    """A file counts when an include matches, or there is none, and no exclude does."""
    _make(tmp_path, "A.JPG", "sub/b.jpg", "sub/d.png", "sub/deep/c.jpg")
    assert _places(tmp_path, Globs(include, exclude)) == places


def test_the_output_folder_inside_the_input_folder_is_left_out(tmp_path: Path):
    """Outputs are never taken for inputs, by whatever name the folder is reached."""
    _make(tmp_path, "a.jpg", "out/a.jpg", "run/x.jpg")
    (tmp_path / "link").symlink_to("out")
    assert _places(tmp_path, without=(tmp_path / "out", tmp_path / "." / "run", tmp_path / "missing")) == ["a.jpg"]


def test_links_to_files_and_folders_are_followed(tmp_path: Path):
    """A collection made of links is a collection."""
    _make(tmp_path / "elsewhere", "a.jpg", "deep/b.jpg")
    root = tmp_path / "root"
    root.mkdir()
    (root / "one.jpg").symlink_to(tmp_path / "elsewhere" / "a.jpg")
    (root / "all").symlink_to(tmp_path / "elsewhere")
    assert _places(root) == ["all/a.jpg", "all/deep/b.jpg", "one.jpg"]


@pytest.mark.parametrize("target", [".", "..", "../..", "../../root"])
def test_a_link_to_a_folder_above_is_one_loop_and_no_more(tmp_path: Path, target: str):
    """The walk ends, says where the loop is, and has seen every file exactly once."""
    root = tmp_path / "root"
    _make(root, "a.jpg", "sub/b.jpg")
    (root / "sub" / "back").symlink_to(target)
    places = _places(root)
    assert [place for place in places if place.endswith(".jpg")].count("sub/b.jpg") == 1
    if target == "../..":  # above the root: it is walked once more, down to itself
        assert "sub/back/root/sub" not in places
    assert any("link loop" in problem for problem in _problems(root).values())
    assert len(places) <= 6


def test_two_folders_that_link_to_each_other_end(tmp_path: Path):
    """A cycle over two links is found as well."""
    for one, other in (("a", "b"), ("b", "a")):
        _make(tmp_path, f"{one}/{one}.jpg")
        (tmp_path / one / "to").symlink_to(tmp_path / other)
    assert _problems(tmp_path).keys() == {"a/to/to", "b/to/to"}
    assert {"a/a.jpg", "a/to/b.jpg", "b/b.jpg", "b/to/a.jpg"} <= set(_places(tmp_path))


def test_links_that_lead_nowhere_are_candidates(tmp_path: Path):
    """A dangling link or one to itself is mentioned; its header says what is wrong with it."""
    (tmp_path / "dangling.jpg").symlink_to("gone.jpg")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    assert _places(tmp_path) == ["dangling.jpg", "self.jpg"]


def test_pipes_are_candidates_and_are_not_opened(tmp_path: Path):
    """Whatever has a name is mentioned; looking at the names of a folder never blocks."""
    os.mkfifo(tmp_path / "pipe.jpg")
    assert _places(tmp_path) == ["pipe.jpg"]


def test_a_tree_deeper_than_pythons_recursion_is_walked(tmp_path: Path):
    """A chain of folders as deep as paths allow is no error of the program."""
    depth = 1200
    top = tmp_path / "deep"
    top.mkdir()
    at = os.open(top, os.O_RDONLY)
    for _level in range(depth):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("a.jpg", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)
    (place,) = _places(top)
    (top / "/".join("d" * 600)).rename(top / "e")  # so that the folder can be removed by a recursion
    assert place == "d/" * depth + "a.jpg"


def test_a_path_too_long_for_the_system_is_mentioned(tmp_path: Path):
    """Below the system's longest path nothing can be opened, and that is said."""
    at = os.open(tmp_path, os.O_RDONLY)
    name = "d" * 250
    for _level in range(20):
        os.mkdir(name, dir_fd=at)
        below = os.open(name, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.close(at)
    (problem,) = _problems(tmp_path).values()
    assert problem == "is a folder that can't be read: File name too long"


def test_a_folder_that_may_not_be_read_is_mentioned(shared: Path, as_somebody_else: Callable[[str], str]):
    """The others are walked; the locked one is a candidate with its reason, never passed over in silence."""
    _make(shared, "in/locked/a.jpg", "in/open/b.jpg")
    (shared / "in" / "locked").chmod(0o000)
    try:
        said = as_somebody_else(
            "from engine.inputs.folder import Globs, walk\n"
            "for each in walk(folder / 'in', Globs()): print(each.place, each.problem)"
        )
    finally:
        (shared / "in" / "locked").chmod(0o700)
    assert said.splitlines() == ["locked is a folder that can't be read: Permission denied", "open/b.jpg "]


def test_a_folder_that_may_be_listed_but_not_entered_hides_nothing(
    shared: Path, as_somebody_else: Callable[[str], str]
):
    """With read but no search permission the names are known; each of them is mentioned."""
    _make(shared, "in/half/sub/a.jpg", "in/half/b.jpg")
    (shared / "in" / "half").chmod(0o444)
    try:
        said = as_somebody_else(
            "from engine.inputs.folder import Globs, walk\n"
            "for each in walk(folder / 'in', Globs()): print(each.place, each.problem)"
        )
    finally:
        (shared / "in" / "half").chmod(0o700)
    assert said.splitlines() == ["half/b.jpg ", "half/sub is a folder that can't be read: Permission denied"]
