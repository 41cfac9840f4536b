"""The real program as its user runs it: real processes, real folders, and waits that watch for a condition."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson
import skimage.data
from PIL import Image

from engine.journal.replay import read

PROGRAM = str(Path(sys.executable).with_name("face-recovery"))
KEY = "the-key-of-these-tests-4711"
_OWN = ("FACE_RECOVERY_", "TOPAZ_")

T = TypeVar("T")


def portrait(size: int = 64, shift: int = 0) -> Image.Image:
    """Return a small square picture of one face; `shift` (0-30) makes it another picture."""
    whole = Image.fromarray(skimage.data.astronaut())
    return whole.crop((120 + shift, shift, 330 + shift, 210 + shift)).resize((size, size), Image.Resampling.LANCZOS)


def portraits(folder: Path, count: int) -> Path:
    """Fill `folder` with `count` different pictures and return it."""
    folder.mkdir(parents=True)
    for number in range(count):
        portrait(shift=number % 30).save(folder / f"face {number:02d}.jpg", quality=80 - number // 30)
    return folder


def until(condition: Callable[[], T], what: str, limit_s: float = 30.0) -> T:
    """Ask `condition` until it answers something true, and return that."""
    deadline = time.monotonic() + limit_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
    return answer


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without anything that would configure the program, plus `variables`."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    return {**bare, "COLUMNS": "200", **variables}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """One command that has ended."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> Any:
        """What `--json` printed: the only line on standard output."""
        assert self.out.count("\n") == 1, self.out
        return orjson.loads(self.out)


def command(*arguments: str | Path) -> list[str]:
    return [PROGRAM, *map(str, arguments)]


def finish(
    *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None, powerless: bool = False
) -> Finished:
    """Run a command to its end. `powerless`: permissions of files count, even for root."""
    prefix = list(powerless_prefix() or ()) if powerless else []
    done = subprocess.run(
        [*prefix, *command(*arguments)],
        env=environment(**(env or {})),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Finished(code=done.returncode, out=done.stdout, err=done.stderr)


def powerless_prefix() -> tuple[str, ...] | None:
    """Return what to write before a command so that file permissions count; None where root can't shed its power."""
    if os.geteuid() != 0:
        return ()
    tool = shutil.which("setpriv")
    if tool is None:
        return None
    dropped = "-dac_override,-dac_read_search"
    return (tool, f"--inh-caps={dropped}", f"--bounding-set={dropped}")


@dataclass(slots=True)
class Running:
    """One command that goes on; `stop` must be called in the end, whatever happened."""

    process: subprocess.Popen[str]
    family: set["Process"] = field(default_factory=set)

    @classmethod
    def start(cls, *arguments: str | Path, env: Mapping[str, str] | None = None, into: Path | None = None) -> "Running":
        """Start a command; `into` takes its standard output, so that it can be looked at meanwhile."""
        out = into.open("wb") if into is not None else contextlib.nullcontext(subprocess.PIPE)
        with out as stdout:
            return cls._started(arguments, env, stdout)

    @classmethod
    def _started(
        cls, arguments: tuple[str | Path, ...], env: Mapping[str, str] | None, stdout: BinaryIO | int
    ) -> "Running":
        return cls(
            subprocess.Popen(
                command(*arguments),
                env=environment(**(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                process_group=0,
            )
        )

    def look(self) -> set["Process"]:
        """Return the processes that descend from this one now; all that were ever seen are remembered."""
        found = set(descendants(self.process.pid))
        self.family |= found
        return found

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for `condition`, looking at the family each time; the process must not end meanwhile."""

        def is_met() -> bool:
            self.look()
            assert self.process.poll() is None, f"it ended before {what}: {self.ended()}"
            return bool(condition())

        until(is_met, what)

    def ended(self, limit_s: float = 40.0) -> Finished:
        out, err = self.process.communicate(timeout=limit_s)
        return Finished(code=self.process.returncode, out=out, err=err)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@dataclass(frozen=True, slots=True)
class Process:
    """A process told apart from a later one with the same number by its start time."""

    pid: int
    started: str
    command: str = field(compare=False)

    @property
    def is_alive(self) -> bool:
        return _stat(self.pid)[1:] == ("alive", self.started)


def descendants(pid: int) -> Iterator[Process]:
    """Yield the children of `pid`, and theirs."""
    for child in _numbers():
        if _stat(child)[0] == str(pid):
            yield Process(child, _stat(child)[2], command_line(child))
            yield from descendants(child)


def _numbers() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]


def _stat(pid: int) -> tuple[str, str, str]:
    """Return parent, alive or dead, start time (proc(5), /proc/pid/stat); empty when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", "", ""
    return fields[1], "dead" if fields[0] in "ZX" else "alive", fields[19]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def command_lines() -> list[str]:
    """Return the command lines of all processes that may be seen here."""
    return [command_line(pid) for pid in _numbers()]


def rows(run: Path) -> list[dict[str, Any]]:
    """Return the rows of results.jsonl that are whole; the last one may just be written."""
    return list(read(run / "results.jsonl"))


def events(run: Path, event: str) -> list[dict[str, Any]]:
    """Return the journal's records of one kind."""
    return [record for record in read(run / "journal.jsonl") if record.get("event") == event]


def content(folder: Path) -> bytes:
    """Return all that the files below `folder` hold."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
