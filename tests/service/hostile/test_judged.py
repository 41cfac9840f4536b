"""The engine's own look at inputs and results: a hostile one ends in one line, soon and in little memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.hostile.pictures import CASES, HARMLESS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="caps the address space")

_PEAK_BYTES = 700 * 1024**2  # of the whole program; 100 megapixels of colour, which are allowed, take 400 MB
_TIME_LIMIT_S = 120


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """Return what was said of each picture by header check, decode check and face decoder, and the peak of memory."""
    command = [sys.executable, "-m", "tests.service.hostile.judge", str(tmp_path_factory.mktemp("judge"))]
    root = Path(__file__).parents[3]
    ran = subprocess.run(command, cwd=root, capture_output=True, timeout=_TIME_LIMIT_S, check=False)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 0, (ran.returncode, list(CASES)[len(lines)], ran.stderr[-2000:])
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_picture_ends_in_one_line_or_is_a_picture(verdicts, name):
    """Nothing but an InputError of one short line is raised; what is harmless is taken by all three."""
    for verdict in verdicts[name]["verdicts"]:
        assert "\n" not in verdict
        assert len(verdict) < 400
    if name in HARMLESS:
        assert verdicts[name]["verdicts"] == ["ok"] * 3


def test_no_picture_of_the_corpus_takes_much_memory(verdicts):
    """The peak over the whole corpus is that of one large honest picture."""
    assert max(line["peak_bytes"] for line in verdicts.values()) < _PEAK_BYTES
