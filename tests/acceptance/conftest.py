"""One served backend for all tests that need no embedded one."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.program import KEY, command, environment, portraits


@dataclass(frozen=True, slots=True)
class Served:
    """A `face-recovery serve` process: its address, its folder, and the environment of a client with its key."""

    base_url: str
    folder: Path
    pid: int

    @property
    def env(self) -> dict[str, str]:
        return {"FACE_RECOVERY_API_KEY": KEY}

    @property
    def options(self) -> tuple[str, ...]:
        """Few at once: the first looks at the jobs come soon then."""
        return ("--backend", self.base_url, "--max-in-flight", "4", "--quiet")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served") / "service"
    with folder.parent.joinpath("log").open("wb") as log:
        process = subprocess.Popen(
            command("serve", "--folder", folder, "--port", "0", "--workers", "1"),
            env=environment(FACE_RECOVERY_SERVICE_KEY=KEY),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        line = process.stdout.readline() if process.stdout else ""
        address = re.match(r"serving (http://127\.0\.0\.1:\d+/image/v1), ", line)
        assert address, line + (folder.parent / "log").read_text()
        yield Served(address[1], folder, process.pid)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three small portraits."""
    return portraits(tmp_path_factory.mktemp("pictures") / "in", 3)
