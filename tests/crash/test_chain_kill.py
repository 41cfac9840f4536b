"""A run of two stages, killed with SIGKILL three times: an output for each picture, and two remote jobs, no more."""

import signal
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from engine.journal.replay import read
from engine.service.credits import JOURNAL_NAME, Ledger, read_ledger
from tests.acceptance.program import Finished, Running, events, portraits, rows

_PICTURES = 100
_WIDTH, _INPUT_WIDTH = 128, 64
_KILLED_AT = (5, 35, 70)  # jobs past their first stage
# Few at once, so that a kill falls between jobs that are on either stage and between the two.
_OPTIONS = ("--then", "enhance", "--output-width", str(_WIDTH), "--backend", "simulated", "--max-in-flight", "24")
_SIMULATION = 'latency = "lognormal:0.4:0.5"\nresult_bytes = 20000\nreset_after = 0.03\nserver_errors = 0.02\n'


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run that was killed three times and then let finish."""
    place = tmp_path_factory.mktemp("chained")
    simulation = place / "simulation.toml"
    simulation.write_text(_SIMULATION)
    out, inputs = place / "out", portraits(place / "in", _PICTURES)
    command: tuple[str | Path, ...] = ("restore", inputs, "--out", out, *_OPTIONS, "--simulation", simulation)
    for staged in _KILLED_AT:
        engine = Running.start(*command)
        try:
            engine.until(lambda at=staged: len(events(_run(out), "staged")) >= at, f"{staged} jobs are half done")
            engine.process.kill()
            assert engine.ended().code == -signal.SIGKILL
        finally:
            engine.stop()
        command = ("resume", out)
    last = _finished(out)
    assert (last.code, last.err) == (0, "")
    assert last.summary["done"] == last.summary["planned"] == _PICTURES
    assert (last.summary["credits_charged"], last.summary["credits_reserved"]) == (2 * _PICTURES, 0)
    return out


def _finished(out: Path) -> Finished:
    engine = Running.start("resume", out, "--json", "--quiet")
    try:
        return engine.ended(120.0)
    finally:
        engine.stop()


def _run(out: Path) -> Path:
    return out / ".face-recovery"


def _ledger(out: Path) -> Ledger:
    return read_ledger(_run(out) / "service")


def test_every_picture_has_its_one_output(out: Path) -> None:
    """A hundred, of the size that the second stage was asked for, and a row for each that tells of both stages."""
    outputs = [path for path in out.iterdir() if path.is_file()]
    assert len(outputs) == _PICTURES
    for path in outputs:
        with Image.open(path) as image:
            image.load()
            assert image.size == (_WIDTH, _WIDTH)
    assert sorted(row["job"] for row in rows(_run(out))) == list(range(_PICTURES))
    assert {(row["status"], row["credits"], len(row["stages"])) for row in rows(_run(out))} == {("done", 2, 2)}
    assert not list(out.rglob("*.part"))


def test_there_were_two_remote_jobs_for_each_picture_and_no_more(out: Path) -> None:
    """By the service's own ledger: two hundred were ever accepted, none twice, and all are in the rows."""
    ledger = _ledger(out)
    assert (ledger.accepted, ledger.failed, ledger.repeated_filenames) == (2 * _PICTURES, 0, {})
    assert (ledger.charged_credits, ledger.reserved_credits) == (2 * _PICTURES, 0)
    accepted = [each for each in read(_run(out) / "service" / JOURNAL_NAME) if each["event"] == "accepted"]
    assert Counter(each["filename"].rpartition(".")[0].endswith("s2") for each in accepted) == {False: 100, True: 100}
    claimed = [stage["process_id"] for row in rows(_run(out)) for stage in row["stages"]]
    assert sorted(claimed) == sorted(each["process_id"] for each in accepted)
