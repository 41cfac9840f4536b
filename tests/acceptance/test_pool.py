"""Several simulated services as one backend, as processes of their own: shared fairly, and none of them is needed."""

import itertools
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from engine.journal.replay import read
from tests.acceptance.program import Running, command, environment, finish, rows, until

SECRETS = ("first-key", "second-key", "third-key")
SPEEDS = (2, 4, 8)  # workers, each a fifth of a second a job
SETTINGS = "max_in_flight = 60\nsettle_s = 1.0\nbackoff_first_s = 0.1\nbackoff_max_s = 1.0\nsync = false\n"


@dataclass
class Service:
    """One simulated service, which can be killed and started again where it was."""

    folder: Path
    port: int
    key: str
    workers: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/image/v1"

    def start(self) -> None:
        self.folder.parent.mkdir(exist_ok=True)
        said = self.folder.with_suffix(".out")
        options = ("--latency", f"queue:{self.workers}:0.2:0", "--result-bytes", "2000", "--port", str(self.port))
        with said.open("wb") as out, self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                command("serve", "--simulate", "--folder", self.folder, *options),
                env=environment(FACE_RECOVERY_SERVICE_KEY=self.key),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,  # a pipe that nobody reads would stop it
            )
        until(lambda: b"serving" in said.read_bytes(), f"{self.folder.name} to serve")

    def kill(self) -> None:
        """End it as a power cut does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def accepted(self) -> list[str]:
        """Return the filenames of all jobs that it ever took."""
        records = read(self.folder / "journal.jsonl")
        return [record["filename"] for record in records if record.get("event") == "accepted"]


@pytest.fixture
def services(tmp_path, unused_tcp_port_factory) -> Iterator[list[Service]]:
    made = [
        Service(tmp_path / "services" / f"s{number}", unused_tcp_port_factory(), key, workers)
        for number, (key, workers) in enumerate(zip(SECRETS, SPEEDS, strict=True))
    ]
    for each in made:
        each.start()
    yield made
    for each in made:
        each.kill()


def _pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (24, 32), (number % 256, number // 256, 90)).save(folder / f"p{number:04d}.png")
    return folder


def _restoring(services: list[Service], tmp_path: Path, count: int) -> list[str | Path]:
    (tmp_path / "settings.toml").write_text(SETTINGS)
    backend = ",".join(each.base_url for each in services)
    pictures = _pictures(tmp_path / "in", count)
    return [
        "restore",
        pictures,
        *("--out", tmp_path / "out", "--backend", backend, "--config", tmp_path / "settings.toml", "--json"),
    ]


def _audit(services: list[Service], tmp_path: Path, count: int) -> list[int]:
    """Check that each picture is there and was accepted once, wherever; return how many each service took."""
    names = [each.accepted() for each in services]
    assert {name: times for name, times in Counter(itertools.chain.from_iterable(names)).items() if times > 1} == {}
    assert sum(map(len, names)) == count
    assert len(list((tmp_path / "out").glob("*.jpg"))) == count
    return list(map(len, names))


def test_each_member_gets_its_speeds_share(services, tmp_path):
    """1 : 2 : 4, found out from what comes back."""
    done = finish(*_restoring(services, tmp_path, 420), env={"FACE_RECOVERY_API_KEY": ",".join(SECRETS)})
    assert done.code == 0, done.err
    taken = _audit(services, tmp_path, 420)
    for count, workers in zip(taken, SPEEDS, strict=True):
        assert 0.7 < count / sum(taken) / (workers / sum(SPEEDS)) < 1.4, taken
    assert done.summary["done"] == 420
    print(taken)  # noqa: T201 -- worth seeing


def test_a_member_that_dies_and_comes_back_costs_nothing(services, tmp_path):
    """Killed in the middle, with jobs in flight, and started again: every output, nothing accepted twice."""
    running = Running.start(
        *_restoring(services, tmp_path, 420), env={"FACE_RECOVERY_API_KEY": ",".join(SECRETS)}, into=tmp_path / "said"
    )
    try:
        run = tmp_path / "out" / ".face-recovery"
        running.until(lambda: run.exists() and len(rows(run)) > 60, "some jobs to be done")
        services[2].kill()
        before = len(rows(run))
        running.until(lambda: len(rows(run)) > before + 60, "the others to go on")
        services[2].start()
        ended = running.ended(90)
    finally:
        running.stop()
    assert ended.code == 0, ended.err + (tmp_path / "said").read_text()
    _audit(services, tmp_path, 420)


def test_a_member_with_a_bad_key_is_left_out(services, tmp_path):
    """It is said once, without the key, and the others do all the work."""
    keys = [SECRETS[0], "a-bad-key", SECRETS[2]]
    done = finish(*_restoring(services, tmp_path, 100), env={"FACE_RECOVERY_API_KEY": ",".join(keys)})
    assert done.code == 0, done.err
    assert _audit(services, tmp_path, 100)[1] == 0
    (note,) = [each for each in done.summary["notes"] if "takes nothing more" in each]
    assert f"127.0.0.1:{services[1].port}" in note
    assert not any(key in done.out + done.err for key in keys)


def test_all_members_with_bad_keys_stop_the_run(services, tmp_path):
    """As one would: nothing is sent, and a resume with the right ones finishes."""
    restoring = _restoring(services, tmp_path, 10)
    done = finish(*restoring, env={"FACE_RECOVERY_API_KEY": "bad-1,bad-2,bad-3"})
    assert done.code == 6
    assert [each.accepted() for each in services] == [[], [], []]
    again = finish("resume", tmp_path / "out", env={"FACE_RECOVERY_API_KEY": ",".join(SECRETS)})
    assert again.code == 0
    _audit(services, tmp_path, 10)
