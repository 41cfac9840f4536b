"""The engine, then its service, killed with SIGKILL in the middle of a run: nothing lost, nothing done twice."""

import os
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from engine.service.credits import Ledger, read_ledger
from tests.acceptance.program import Finished, Process, Running, command_lines, events, portraits, rows, until

_PICTURES = 24
_KILLED_AT = (3, 8, 13)  # jobs done
# Few at once and one worker, so that a kill falls between jobs of every state, however quick the machine is.
_LIMITS = ("--max-in-flight", "6", "--service-workers", "1")


@dataclass(frozen=True, slots=True)
class Survivor:
    """A run that was killed and resumed: what the last process said, and what is on disk."""

    out: Path
    last: Finished
    left_behind: tuple[Process, ...]  # descendants of killed engines that were still there after the deadline

    @property
    def run(self) -> Path:
        return self.out / ".face-recovery"

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.run / "service")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return portraits(tmp_path_factory.mktemp("kill") / "in", _PICTURES)


@pytest.fixture(scope="module")
def survivor(inputs: Path) -> Survivor:
    """A run whose engine was killed three times."""
    out = inputs.with_name("out")
    left_behind: list[Process] = []
    first = True
    for done in _KILLED_AT:
        engine = Running.start("restore", inputs, "--out", out, *_LIMITS) if first else Running.start("resume", out)
        first = False
        try:
            _reach(engine, out, done)
            engine.process.kill()
            assert engine.ended().code == -signal.SIGKILL
            left_behind += _wait_for_end(engine)
        finally:
            engine.stop()
    last = Running.start("resume", out, "--json", "--quiet")
    try:
        return Survivor(out, last.ended(), tuple(left_behind))
    finally:
        last.stop()


def _reach(engine: Running, out: Path, done: int) -> None:
    """Return once `done` jobs are done and the service with its workers has been seen."""
    engine.until(lambda: len(events(out / ".face-recovery", "done")) >= done, f"{done} jobs are done")
    assert len(engine.family) >= 2  # the service and a worker


def _wait_for_end(engine: Running) -> list[Process]:
    try:
        until(lambda: not any(each.is_alive for each in engine.family), "its service and workers to end", limit_s=10.0)
    except AssertionError:
        return [each for each in engine.family if each.is_alive]
    return []


def _check_whole(survivor: Survivor) -> None:
    outputs = sorted(path for path in survivor.out.iterdir() if path.is_file())
    assert len(outputs) == _PICTURES
    for path in outputs:
        with Image.open(path) as image:
            image.load()
    assert Counter(row["status"] for row in rows(survivor.run)) == {"done": _PICTURES}
    assert len({row["job"] for row in rows(survivor.run)}) == _PICTURES
    assert len(events(survivor.run, "done")) == _PICTURES
    assert not list(survivor.out.rglob("*.part"))


def _check_paid_once(survivor: Survivor) -> None:
    assert survivor.ledger.accepted == _PICTURES
    assert survivor.ledger.repeated_filenames == {}
    assert survivor.ledger.failed == 0


def test_every_input_has_its_output(survivor: Survivor) -> None:
    """After three kills every input has one output that decodes, one done line, one result row, and no .part stays."""
    assert (survivor.last.code, survivor.last.err) == (0, "")
    assert survivor.last.summary["done"] == survivor.last.summary["planned"] == _PICTURES
    _check_whole(survivor)


def test_nothing_is_paid_twice(survivor: Survivor) -> None:
    """The service's own ledger shows each picture accepted exactly once."""
    _check_paid_once(survivor)


def test_nothing_outlives_a_killed_engine(survivor: Survivor) -> None:
    """Service and workers end by themselves within seconds after their engine was killed."""
    assert survivor.left_behind == ()
    assert not [line for line in command_lines() if str(survivor.run) in line]


def test_the_service_keeps_no_second_copy(survivor: Survivor) -> None:
    """Once all is done, the service has forgotten every job, files included."""
    assert survivor.ledger.deleted == _PICTURES
    service = survivor.run / "service"
    assert not [path for name in ("inputs", "outputs") for path in (service / name).rglob("*") if path.is_file()]


def _services(engine: Running) -> set[Process]:
    return {each for each in engine.look() if "serve --child" in each.command}


def test_a_killed_service_is_started_again(inputs: Path) -> None:
    """A service killed in the middle of a run is replaced, and the run ends as if nothing had happened."""
    out = inputs.with_name("bereft")
    engine = Running.start("restore", inputs, "--out", out, "--json", *_LIMITS)
    try:
        _reach(engine, out, _KILLED_AT[0])
        (first,) = _services(engine)
        os.kill(first.pid, signal.SIGKILL)
        until(lambda: _services(engine) - {first}, "another service")
        last = engine.ended()
    finally:
        engine.stop()
    assert (last.code, last.summary["done"], last.summary["failed"]) == (0, _PICTURES, 0)
    survivor = Survivor(out, last, ())
    _check_whole(survivor)
    _check_paid_once(survivor)
    until(lambda: not any(each.is_alive for each in engine.family), "all processes of the run to end", limit_s=10.0)
