"""A service with the real face model in a process of its own, and a client that sends it any bytes at all."""

import contextlib
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from tests.service.harness import BASE, KEY
from tests.service.hostile.bodies import form, image, part, post

MB = 1024 * 1024
_DEADLINE_S = 120.0
_SILENCE_S = 5.0  # of one connection, after which the case counts as unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` is None where the connection ended without an answer."""

    status: int | None
    body: bytes = b""

    def json(self):
        return orjson.loads(self.body)


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return bool(end and length and len(body) >= int(length[1]))


class Victim:
    """One running service."""

    def __init__(self, process: subprocess.Popen[bytes], base: str, log: Path) -> None:
        self.process = process
        self.base = base
        self.log = log
        address = urlsplit(base)
        self._address = (address.hostname, address.port)

    def send(self, data: bytes, *, is_cut: bool = False) -> Answer:
        """Send one connection's bytes, all that the other side takes of them, and return its first answer.

        `is_cut`: more is announced than is sent, and the sending side is closed behind it.
        """
        with socket.create_connection(self._address, timeout=_SILENCE_S) as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                if is_cut:
                    connection.shutdown(socket.SHUT_WR)
            got = b""
            with contextlib.suppress(ConnectionError):
                while not _is_whole(got) and (more := connection.recv(65_536)):
                    got += more
        head, _, body = got.partition(b"\r\n\r\n")
        found = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
        return Answer(status=int(found[1]) if found else None, body=body)

    def get(self, path: str) -> Answer:
        request = f"GET {path} HTTP/1.1\r\nHost: h\r\nX-API-Key: {KEY}\r\nConnection: close\r\n\r\n"
        return self.send(request.encode())

    def submit(self, picture: bytes, disposition: bytes = b'filename="a.png"', **fields: str) -> Answer:
        texts = [part(name.encode(), value.encode()) for name, value in {"model": "Faces", **fields}.items()]
        return self.send(post(form(*texts, image(disposition, picture))))

    def row(self, process_id: str):
        return self.get(f"{BASE}/status/{process_id}").json()

    def ended(self, process_id: str):
        """Return the row of the job once it has ended."""
        deadline = time.monotonic() + _DEADLINE_S
        while (row := self.row(process_id))["status"] in ("Pending", "Processing"):
            assert time.monotonic() < deadline, f"waited in vain for the end of {row}"
            time.sleep(0.02)
        return row

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return sorted(map(int, children))

    def peaks(self) -> dict[int, int]:
        """Return the highest memory of the service and of each worker so far, in bytes, by process."""
        return {pid: peak_bytes(pid) for pid in (self.process.pid, *self.workers())}

    def forget_peaks(self) -> None:
        for pid in (self.process.pid, *self.workers()):
            Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_bytes(pid: int) -> int:
    """Return the highest memory of a process; `getrusage` would count what its parent had when it was forked."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found, status
    return int(found[1]) * 1024


@contextlib.contextmanager
def victim(folder: Path) -> Iterator[Victim]:
    """Run `serve_real` in `folder` for as long as the block runs."""
    log = folder / "log.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.service.hostile.serve_real", str(folder / "service")],
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=Path(__file__).parents[3],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        assert process.stdout
        ready, _, _ = select.select([process.stdout], [], [], _DEADLINE_S)
        base = process.stdout.readline().decode().strip() if ready else ""
        assert base, log.read_text()
        yield Victim(process, base, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        if process.stdout:
            process.stdout.close()
