"""A folder of 20 odd but sound pictures and every bad input: each good one restored, each bad one explained."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.acceptance.pictures import SIDE, make_bad, make_good
from tests.acceptance.program import Finished, finish, powerless_prefix, rows


@dataclass(frozen=True, slots=True)
class Mixed:
    """The folder, what was to be expected of it, and how the run over it ended."""

    folder: Path
    good: list[str]
    bad: dict[str, str]
    ended: Finished

    @property
    def out(self) -> Path:
        return self.folder.with_name("out")

    def row(self, name: str) -> dict[str, Any]:
        (row,) = (row for row in rows(self.out / ".face-recovery") if row["source"] == str(self.folder / name))
        return row


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    folder = tmp_path_factory.mktemp("mixed") / "in"
    folder.mkdir()
    good, bad = make_good(folder), make_bad(folder)
    # Few at once: the first looks at the jobs come soon then.
    arguments = ("restore", folder, "--out", folder.with_name("out"), "--json", "--quiet", "--max-in-flight", "4")
    return Mixed(folder, good, bad, finish(*arguments, powerless=powerless_prefix() is not None))


def test_the_run_ends_with_failed_jobs(mixed: Mixed) -> None:
    """Bad inputs never stop a run: it ends with exit code 3, and every input is counted."""
    summary = mixed.ended.summary
    assert (mixed.ended.code, mixed.ended.err) == (3, "")
    assert (summary["planned"], summary["done"], summary["failed"]) == (20 + len(mixed.bad), 20, len(mixed.bad))
    assert sum(summary["reasons"].values()) == len(mixed.bad)


def test_every_sound_picture_is_restored(mixed: Mixed) -> None:
    """Grey, palette, CMYK, 16-bit, alpha, turned, misnamed, any Unicode: one output each, and it decodes."""
    outputs = {path.relative_to(mixed.out).as_posix() for path in mixed.out.rglob("*") if path.suffix}
    outputs = {name for name in outputs if not name.startswith(".face-recovery")}
    assert len(mixed.good) == len(outputs) == 20
    assert outputs == {mixed.row(name)["output"] for name in mixed.good}
    for name in mixed.good:
        with Image.open(mixed.out / mixed.row(name)["output"]) as image:
            image.load()
            assert (image.format, image.size) == ("JPEG", (SIDE - 16, SIDE) if name == "turned.jpg" else (SIDE, SIDE))


def test_faces_are_found_in_odd_pictures(mixed: Mixed) -> None:
    """All but the one in pure black and white show their face to the detector."""
    assert [name for name in mixed.good if mixed.row(name)["faces"] != 1] == ["bilevel.png"]
    assert "no face was found" in mixed.row("bilevel.png")["warnings"][0]


def test_every_bad_input_has_one_clear_reason(mixed: Mixed) -> None:
    """Each reason says what is wrong, in one line without internal ids or paths."""
    for name, expected in mixed.bad.items():
        reason = mixed.row(name)["reason"]
        assert re.search(expected, reason), f"{name}: {reason}"
        assert len(reason) < 130, reason
        assert "\n" not in reason
        assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}|/service/|/tmp/|\.part|0x|Error\b", reason), reason


def test_an_unreadable_picture_was_among_them(mixed: Mixed) -> None:
    """Permissions were part of the test, or this skip says that they were not."""
    if powerless_prefix() is None:
        pytest.skip("root without setpriv: every file is readable")
    assert "secret.jpg" in mixed.bad


def test_bad_inputs_are_left_alone(mixed: Mixed) -> None:
    """Inputs are only read: the pipe is still a pipe, the links still lead nowhere, nothing was added."""
    assert (mixed.folder / "pipe.jpg").is_fifo()
    assert (mixed.folder / "socket.jpg").is_socket()
    assert (mixed.folder / "dangling.jpg").is_symlink()
    assert len(list(mixed.folder.iterdir())) == len(mixed.good) + len(mixed.bad)
