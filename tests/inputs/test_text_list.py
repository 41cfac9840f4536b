"""Text lists: paths and URLs, one a line."""

import os
from pathlib import Path, PurePath

import pytest

from engine.disk import text_of_path
from engine.errors import UsageError
from engine.inputs.candidate import Candidate
from engine.inputs.text_list import is_list, read_list, url_candidate


def _list(folder: Path, content: str | bytes) -> list[Candidate]:
    path = folder / "list.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_list(path))


@pytest.mark.parametrize(
    ("name", "is_one"), [("a.txt", True), ("A.TXT", True), ("a.list", True), ("a.csv", False), ("txt", False)]
)
def test_lists_are_told_by_their_extension(name: str, is_one: bool):
    """.txt and .list are lists, all else is a picture or a mistake."""
    assert is_list(Path(name)) is is_one


def test_a_list_names_paths_relative_to_itself(tmp_path: Path):
    """A list can travel with its pictures: relative paths begin at the list's own folder."""
    assert _list(tmp_path, "a.jpg\nsub/b.png\n./c.jpg\n") == [
        Candidate(path=tmp_path / "a.jpg", place=PurePath("a.jpg")),
        Candidate(path=tmp_path / "sub/b.png", place=PurePath("sub/b.png")),
        Candidate(path=tmp_path / "c.jpg", place=PurePath("c.jpg")),
    ]


def test_comments_blank_lines_and_line_ends_do_not_matter(tmp_path: Path):
    """Windows line ends, trailing spaces, a byte order mark and a missing last newline are all fine."""
    content = b"\xef\xbb\xbf# my pictures\r\n\r\n   \n  a.jpg  \r\n#b.jpg\r\n  # c.jpg\nd e.jpg"
    assert [each.place.as_posix() for each in _list(tmp_path, content)] == ["a.jpg", "d e.jpg"]


def test_a_byte_order_mark_is_not_part_of_the_first_name(tmp_path: Path):
    """What Notepad puts in front does not make the first picture unknown."""
    assert [each.path for each in _list(tmp_path, b"\xef\xbb\xbfa.jpg\n")] == [tmp_path / "a.jpg"]


def test_absolute_and_upward_paths_are_placed_by_their_name(tmp_path: Path):
    """No output is ever placed outside the output folder, wherever the input lies."""
    absolute, upward, sneaky = _list(tmp_path, "/abs/a.jpg\n../up/b.jpg\nsub/../../c.jpg\n")
    assert (absolute.path, absolute.place) == (Path("/abs/a.jpg"), PurePath("a.jpg"))
    assert (upward.path, upward.place) == (tmp_path / "../up/b.jpg", PurePath("b.jpg"))
    assert sneaky.place == PurePath("c.jpg")


def test_urls_stand_beside_paths(tmp_path: Path):
    """A line that begins with http:// or https:// is fetched."""
    (url,) = _list(tmp_path, "https://example.org/p/a%20b.jpg?size=big#x\n")
    assert url == Candidate(url="https://example.org/p/a%20b.jpg?size=big#x", place=PurePath("a b.jpg"))


def test_names_that_are_no_utf8_are_read_as_their_bytes(tmp_path: Path):
    """A list made by `find` names every file, whatever bytes its name is made of."""
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    (each,) = _list(tmp_path, b"caf\xe9.jpg\n")
    assert os.fsencode(each.path or "") == raw
    assert text_of_path(each.path or Path()).endswith("caf%E9.jpg")


@pytest.mark.parametrize("content", ["a.jpg\nb.jpg\n".encode("utf-16"), b"\x00\x01\x02\n", b"a.jpg\nb\0.jpg\n"])
def test_what_is_no_text_is_a_usage_error(tmp_path: Path, content: bytes):
    """UTF-16, as some shells write it, and binary files are named as what they are not."""
    with pytest.raises(UsageError, match=r"list\.txt is not UTF-8 text: a list holds one path or URL a line"):
        _list(tmp_path, content)


def test_a_list_that_can_not_be_read_is_a_usage_error(tmp_path: Path):
    """The reason is the system's."""
    with pytest.raises(UsageError, match=r"gone\.txt can't be read: No such file or directory"):
        list(read_list(tmp_path / "gone.txt"))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://h/a.jpg", "a.jpg"),
        ("http://h/a/b/c.png?x=1", "c.png"),
        ("http://h/", "picture"),
        ("http://h", "picture"),
        ("http://h/?id=7", "picture"),
        ("http://h/..", "picture"),
        ("http://h/%2e%2e%2fetc%2fpasswd", "passwd"),
        ("http://h/a%00b.jpg", "a_b.jpg"),
        ("http://h/a%0Ab.jpg", "a_b.jpg"),
        ("http://h/a%5Cb.jpg", "a_b.jpg"),
        ("http://h/a:b*c?.jpg", "a_b_c"),
        ("http://h/%E9t%C3%A9.jpg", "\ufffdt\u00e9.jpg"),
        ("http://h/.hidden.jpg", "hidden.jpg"),
    ],
)
def test_a_url_is_placed_by_a_safe_form_of_its_last_part(url: str, place: str):
    """No server decides where on this disk a file goes."""
    candidate = url_candidate(url)
    assert candidate.place == PurePath(place)
    assert (candidate.url, candidate.problem) == (url, "")


@pytest.mark.parametrize("url", ["http://[bad/a.jpg", "https://[::1/a.jpg"])
def test_a_url_that_is_none_is_a_candidate_with_a_reason(url: str):
    """One mistyped line does not stop the others."""
    assert url_candidate(url).problem.startswith("is no valid URL (")


def test_stray_bytes_in_a_url_are_percent_encoded(tmp_path: Path):
    """A URL can always be written to the plan."""
    (each,) = _list(tmp_path, b"http://h/caf\xe9.jpg\n")
    assert each.url == "http://h/caf%E9.jpg"
