"""What a machine can do to a run: no room, no permission, no files, no names. Real processes, a simulated service."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bench.chaos.audit import audit
from bench.chaos.pictures import fill_folder
from bench.chaos.service import MortalService, mortal_service
from engine.pipeline.run_folder import RunFolder
from tests.acceptance.program import Finished, Running, command, environment, events, finish, powerless_prefix

_PICTURES = 12


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of pictures, a service of its own, and where the outputs go."""

    service: MortalService
    inputs: Path
    out: Path

    @property
    def env(self) -> dict[str, str]:
        return {"FACE_RECOVERY_API_KEY": self.service.key, "FACE_RECOVERY_SETTLE_S": "0.3"}

    @property
    def begin(self) -> tuple[str | Path, ...]:
        backend = ("--backend", self.service.base_url, "--max-in-flight", "4", "--submit-concurrency", "2")
        return ("restore", self.inputs, "--out", self.out, *backend, "--quiet")

    def resumes(self) -> Finished:
        return finish("resume", self.out, "--quiet", env=self.env)

    def assert_all_is_well(self, pictures: int = _PICTURES) -> None:
        account = audit(RunFolder.beside(self.out, None), self.service.folder, pictures)
        assert account.is_clean, account


def _place(folder: Path, *options: str, pictures: int = _PICTURES) -> Iterator[Place]:
    with mortal_service(folder / "service", ("--latency", "fixed:0.1", *options)) as service:
        yield Place(service, fill_folder(folder / "in", pictures), folder / "out")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield from _place(tmp_path, "--result-bytes", "60000")


@pytest.fixture
def large(tmp_path: Path) -> Iterator[Place]:
    """Results that stream to the disk."""
    yield from _place(tmp_path, "--result-bytes", "1500000")


def _in_shell(script: str, place: Place, *arguments: str | Path) -> Finished:
    """Run a command behind `script`, which calls it as `"$@"`."""
    done = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *command(*arguments)],
        env=environment(**place.env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


def _said(ended: Finished) -> str:
    """What the command printed, with its lines joined."""
    assert "Traceback" not in ended.err
    return " ".join((ended.out + ended.err).split())


def _are_done(place: Place, jobs: int) -> bool:
    return len(events(place.out / ".face-recovery", "done")) >= jobs


# In units of `ulimit -f`, 512 bytes in /bin/sh: what stops first is the journal, or a large result.
@pytest.mark.parametrize(("which", "blocks"), [("place", 8), ("large", 1000)])
def test_a_file_that_can_not_grow_stops_the_run_resumably(
    which: str, blocks: int, request: pytest.FixtureRequest
) -> None:
    """No crash and no half of an output: one clear line, exit code 4, and a resume with room does the rest."""
    place: Place = request.getfixturevalue(which)
    ended = _in_shell(f'ulimit -f {blocks}; exec "$@"', place, *place.begin)
    assert ended.code == 4, ended
    assert "can't be written (File too large): make room or mend the folder, then resume" in _said(ended)
    last = place.resumes()
    assert last.code == 0, last
    place.assert_all_is_well()


def _can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    test = "mount -t tmpfs -o size=1m tmpfs /mnt"
    return subprocess.run(["unshare", "-rm", "sh", "-c", test], capture_output=True, check=False).returncode == 0  # noqa: S607


@pytest.mark.parametrize("kilobytes", [120, 500])
def test_a_full_disk_stops_the_run_resumably(place: Place, kilobytes: int) -> None:
    """On a disk that fills up the run ends with exit code 4 and says why; with more room a resume finishes it."""
    if not _can_mount():
        pytest.skip("a small file system can't be mounted here")
    place.out.mkdir()
    saved = place.out.with_name("saved")
    script = f"""
        mount -t tmpfs -o size={kilobytes}k tmpfs {place.out}
        "$@"; echo "first: $?"
        find {place.out} -maxdepth 1 -name '*.jpg' -size -59 | sed 's/^/short: /'
        mount -o remount,size=20m {place.out}
        {" ".join(command("resume", place.out, "--quiet"))}; echo "then: $?"
        cp -a {place.out} {saved}
    """
    done = subprocess.run(
        ["unshare", "-rm", "/bin/sh", "-c", script, "sh", *command(*place.begin)],  # noqa: S607
        env=environment(**place.env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in said
    assert "No space left on device" in said
    assert ("first: 4" in said, "then: 0" in said, "short: " in said) == (True, True, False), said
    place.out.rmdir()
    saved.rename(place.out)
    place.assert_all_is_well()


@pytest.mark.parametrize("files", [20, 28])
def test_too_few_files_fail_no_picture(place: Place, files: int) -> None:
    """A process that may open too few files stops resumably or gets through; no input and no paid result is blamed."""
    ended = _in_shell(f'ulimit -n {files}; exec "$@"', place, *place.begin)
    said = _said(ended)
    assert ended.code in (0, 4), said
    assert ended.code == 0 or "oo many" in said
    last = place.resumes() if (place.out / ".face-recovery" / "run.toml").exists() else None
    last = finish(*place.begin, env=place.env) if last is None or last.code == 2 else last
    assert last.code == 0, last
    place.assert_all_is_well()


@pytest.mark.parametrize("folder", [".", ".face-recovery"])
def test_a_folder_that_becomes_read_only_stops_the_run_resumably(place: Place, folder: str) -> None:
    """Without the permission to write the resume says so and ends with exit code 4; with it, all is done."""
    if powerless_prefix() is None:
        pytest.skip("root can't shed its power over permissions here")
    first = finish(*place.begin, "--max-credits", "2", env=place.env)
    assert first.code == 5, first
    locked = place.out / folder
    locked.chmod(0o500)
    try:
        arguments = ("resume", place.out, "--max-credits", "99", "--quiet")
        ended = finish(*arguments, env=place.env, powerless=True)
    finally:
        locked.chmod(0o700)
    assert ended.code in (0, 4), ended
    assert ended.code == 0 or "Permission denied" in _said(ended)
    last = finish("resume", place.out, "--max-credits", "99", "--quiet", env=place.env)
    assert last.code == 0, last
    place.assert_all_is_well()


def test_a_host_without_an_address_stops_the_run_before_anything_is_sent(place: Place) -> None:
    """A name that DNS does not know is said in one line; the run can be begun again with the right one."""
    backend = ("--backend", "http://no-such-host.invalid/image/v1")
    ended = finish("restore", place.inputs, "--out", place.out, *backend, "--quiet", env=place.env)
    assert ended.code == 4, ended
    assert "can't connect to no-such-host.invalid:80" in _said(ended)
    assert events(place.out / ".face-recovery", "intent") == []


def test_a_service_that_restarts_costs_nothing(place: Place) -> None:
    """Killed and started again three times in the middle of a run: every link dies with it, no job does."""
    engine = Running.start(*place.begin, env=place.env)
    try:
        for done in (1, 4, 7):
            engine.until(partial(_are_done, place, done), f"{done} jobs are done")
            place.service.restart()
        ended = engine.ended()
    finally:
        engine.stop()
    assert ended.code == 0, ended
    place.assert_all_is_well()


def test_an_output_folder_deleted_in_the_middle_stops_the_run(place: Place) -> None:
    """With its run folder in it nothing can be kept any more: the run says so at once and pays for no more."""
    engine = Running.start(*place.begin, env=place.env)
    try:
        engine.until(partial(_are_done, place, 2), "two jobs are done")
        moved = place.out.with_name("moved")
        place.out.rename(moved)  # as good as deleted, in one step
        ended = engine.ended()
    finally:
        engine.stop()
    assert ended.code == 4, ended
    assert "can't be written" in _said(ended)
    shutil.rmtree(place.out, ignore_errors=True)
    moved.rename(place.out)
    assert place.resumes().code == 0
    place.assert_all_is_well()


def test_a_stopped_process_goes_on_where_it_was(place: Place) -> None:
    """A machine that sleeps in the middle of a run (here: SIGSTOP) wakes up to a run that ends well."""
    engine = Running.start(*place.begin, env=place.env)
    try:
        engine.until(partial(_are_done, place, 1), "a job is done")
        engine.signal(signal.SIGSTOP)
        place.service.restart()
        engine.signal(signal.SIGCONT)
        ended = engine.ended()
    finally:
        engine.stop()
    assert ended.code == 0, ended
    place.assert_all_is_well()


def test_the_run_folder_of_another_user_is_one_line(place: Place) -> None:
    """Whatever can't be opened is named with its reason, never with a traceback."""
    if powerless_prefix() is None:
        pytest.skip("root can't shed its power over permissions here")
    assert finish(*place.begin, "--max-credits", "1", env=place.env).code == 5
    journal = place.out / ".face-recovery" / "journal.jsonl"
    journal.chmod(0o000)
    ended = finish("resume", place.out, "--quiet", env=place.env, powerless=True)
    journal.chmod(0o600)
    assert ended.code in (2, 4), ended
    assert "Permission denied" in _said(ended)
