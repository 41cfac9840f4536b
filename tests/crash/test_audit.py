"""The audit sees each kind of damage that it counts, and nothing where there is none."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.chaos.audit import Account, audit
from bench.chaos.pictures import fill_folder
from bench.chaos.service import mortal_service
from engine.journal.line import encode
from engine.journal.replay import read
from engine.pipeline.run_folder import RunFolder
from tests.acceptance.program import finish

_PICTURES = 4


@dataclass(frozen=True, slots=True)
class Done:
    """A finished run and the folder of its service, to be damaged."""

    out: Path
    service: Path

    @property
    def folder(self) -> RunFolder:
        return RunFolder.beside(self.out, None)

    def audit(self, inputs: int = _PICTURES) -> Account:
        return audit(self.folder, self.service, inputs)

    def add_line(self, path: Path, record: dict) -> None:
        with path.open("ab") as file:
            file.write(encode({name: value for name, value in record.items() if name != "crc"}))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("audited")
    with mortal_service(place / "service", ("--latency", "fixed:0")) as service:
        backend = ("--backend", service.base_url, "--quiet")
        inputs = fill_folder(place / "in", _PICTURES)
        ended = finish("restore", inputs, "--out", place / "out", *backend, env={"FACE_RECOVERY_API_KEY": service.key})
    assert ended.code == 0, ended
    return place


@pytest.fixture
def done(finished: Path) -> Iterator[Done]:
    """The same run, as it was, for each test."""
    kept = finished.with_name("kept")
    shutil.copytree(finished, kept)
    yield Done(finished / "out", finished / "service")
    shutil.rmtree(finished)
    kept.rename(finished)


def _delete_output(done: Done) -> None:
    (done.out / "00002.jpg").unlink()


def _delete_row(done: Done) -> None:
    lines = done.folder.results.read_bytes().splitlines(keepends=True)
    done.folder.results.write_bytes(b"".join(lines[1:]))


def _repeat_row(done: Done) -> None:
    done.add_line(done.folder.results, next(read(done.folder.results)))


def _swap_outputs(done: Done) -> None:
    one, other = done.out / "00001.jpg", done.out / "00002.jpg"
    one.rename(done.out / "x")
    other.rename(one)
    (done.out / "x").rename(other)


def _flip_a_bit(done: Done) -> None:
    path = done.out / "00003.jpg"
    damaged = bytearray(path.read_bytes())
    damaged[-20] ^= 1
    path.write_bytes(damaged)


def _accept_twice(done: Done) -> None:
    journal = done.service / "journal.jsonl"
    accepted = next(record for record in read(journal) if record["event"] == "accepted")
    done.add_line(journal, {**accepted, "process_id": "another"})


def _leave_a_part(done: Done) -> None:
    (done.out / "00001.jpg.part").touch()


def _forget_a_line(done: Done) -> None:
    """Of the journal, behind the back of its snapshot."""
    lines = done.folder.journal.read_bytes().splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if b'"event":"accepted"' in line)
    done.folder.journal.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))


@pytest.mark.parametrize(
    ("damage", "counts"),
    [
        (lambda _done: None, (0, 0, 0, 0, 0)),
        (_delete_output, (1, 0, 0, 0, 0)),
        (_delete_row, (1, 0, 0, 1, 2)),
        (_repeat_row, (1, 0, 0, 0, 1)),
        (_swap_outputs, (0, 0, 0, 2, 0)),
        (_flip_a_bit, (0, 0, 0, 1, 0)),
        (_accept_twice, (0, 1, 1, 0, 2)),
        (_leave_a_part, (0, 0, 0, 0, 2)),
        (_forget_a_line, (0, 0, 0, 0, 1)),
    ],
)
def test_each_kind_of_damage_is_counted(
    done: Done, damage: Callable[[Done], None], counts: tuple[int, int, int, int, int]
) -> None:
    """Lost, duplicated, credits too many, corrupt, and findings of another kind: as many as were made."""
    damage(done)
    account = done.audit()
    found = (account.lost, account.duplicated, account.too_many, account.corrupt, len(account.others))
    assert found == counts, account
    assert account.is_clean == (counts == (0, 0, 0, 0, 0))


def test_a_picture_that_was_never_planned_is_lost(done: Done) -> None:
    """What counts are the pictures that the run was given, not those that it says it had."""
    assert done.audit(_PICTURES + 1).lost == 1
