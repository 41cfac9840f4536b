"""What a stop, a crash and a damaged journal leave."""

import asyncio
import contextlib
import logging
import signal
import stat
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from engine.errors import MachineError, UsageError
from engine.journal.line import encode
from engine.service.credits import JOURNAL_NAME, read_ledger
from engine.service.settings import ServiceSettings
from tests.service.harness import KEY, ImpatientClock, Running, ShiftedClock, picture, running, until


async def test_jobs_survive_a_restart(tmp_path):
    """Completed, running and queued jobs are all there after a stop; the unfinished ones run to their end."""
    gate, folder = tmp_path / "gate", tmp_path / "service"
    async with running(folder) as service:
        completed = await service.reached(await service.submit(), "Completed")
        failed = await service.reached(await service.submit("fail"), "Failed")
        busy = [await service.submit(f"wait {gate}") for _ in range(2)]
        for process_id in busy:
            await service.reached(process_id, "Processing")
        queued = await service.submit()
    gate.touch()
    async with running(folder) as service:
        assert await service.row(completed["process_id"]) == completed
        assert await service.row(failed["process_id"]) == failed
        for process_id in (*busy, queued):
            assert (await service.reached(process_id, "Completed"))["progress"] == 100
        listed = (await service.call("GET", "/status"))[1]
        assert [row["process_id"] for row in listed] == [
            queued,
            *busy[::-1],
            failed["process_id"],
            completed["process_id"],
        ]
    ledger = read_ledger(folder)
    assert (ledger.accepted, ledger.completed, ledger.failed, ledger.charged_credits) == (5, 4, 1, 4)


async def test_a_stop_is_quick_whatever_the_workers_do(tmp_path):
    """Hanging workers and an upload that never ends do not hold up a stop for three seconds."""
    async with running(tmp_path / "service") as service:
        for _ in range(2):
            await service.reached(await service.submit("hang"), "Processing")
        slow = asyncio.create_task(_endless_upload(service))
        await until(lambda: _inputs(tmp_path, 3), "the upload to arrive")
        began = time.monotonic()
    assert time.monotonic() - began < 3.0
    with contextlib.suppress(aiohttp.ClientError):
        await slow
    assert await _inputs(tmp_path, 2)


async def _inputs(tmp_path, count):
    """Say whether there are `count` inputs."""
    return len([path for path in (tmp_path / "service" / "inputs").rglob("*") if path.is_file()]) == count


async def _endless_upload(service):
    async def drip():
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n' + bytes(2_000_000)
        await asyncio.Event().wait()

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    await service.call("POST", "/restore-gen/async", data=drip(), headers=headers)


@contextlib.asynccontextmanager
async def _victim(folder, *limit, stderr=None):
    """A service in a process of its own, killed with SIGKILL at the end of the block."""
    command = (sys.executable, "-m", "tests.service.serve_program", str(folder), *limit)
    program = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=stderr)
    try:
        base = (await program.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:
            yield Running(base, session), program
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.send_signal(signal.SIGKILL)
        await program.wait()


async def test_nothing_accepted_is_lost_to_a_kill(tmp_path):
    """After SIGKILL every job that was answered is known, what was done stays done, the rest is done now."""
    gate, folder = tmp_path / "gate", tmp_path / "service"
    async with _victim(folder) as (service, _):
        completed = await service.reached(await service.submit(), "Completed")
        others = [await service.submit(f"wait {gate}")]
        await service.reached(others[0], "Processing")
        others += await asyncio.gather(*(service.submit(f"wait {gate}") for _ in range(8)))
    gate.touch()
    async with running(folder) as service:
        assert await service.row(completed["process_id"]) == completed
        for process_id in others:
            await service.reached(process_id, "Completed")
    ledger = read_ledger(folder)
    assert (ledger.accepted, ledger.completed, ledger.charged_credits, ledger.reserved_credits) == (10, 10, 10, 0)


async def test_a_full_disk_ends_the_service_and_loses_nothing(tmp_path):
    """When the journal can't grow, the POST is 503, the service ends with that reason, and what it accepted holds."""
    folder, accepted = tmp_path / "service", []
    async with _victim(folder, "6000", stderr=asyncio.subprocess.PIPE) as (service, program):
        status, answer = 200, None
        while status == 200 and len(accepted) < 50:
            status, answer = await service.post(picture())
            accepted += [answer["process_id"]] if status == 200 else []
        _, errors = await program.communicate()
    assert status == 503
    assert "can't be written (File too large)" in answer["message"]
    assert errors.decode().rstrip().splitlines()[-1].startswith("engine.errors.MachineError: the service's journal")
    async with running(folder) as service:
        for process_id in accepted:
            await service.reached(process_id, "Completed")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds the workers through /proc")
async def test_workers_die_with_their_service(tmp_path):
    """A worker whose service was killed ends by itself, even in the middle of a picture."""
    async with _victim(tmp_path / "service") as (service, program):
        await service.reached(await service.submit(f"wait {tmp_path / 'never'}"), "Processing")
        workers = _children_of(program.pid)
        assert len(workers) == 2

    async def are_gone():
        return not any(Path(f"/proc/{pid}").exists() for pid in workers)

    await until(are_gone, "the workers to end")


def _children_of(pid):
    return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == pid]


def _parent(path):
    with contextlib.suppress(OSError):
        return int(path.read_text().rpartition(")")[2].split()[1])
    return None


async def test_a_torn_journal_is_cut_and_reported(tmp_path, caplog):
    """The half line of an interrupted write is cut off, the log says so, and everything before and after it holds."""
    folder = tmp_path / "service"
    async with running(folder) as service:
        row = await service.reached(await service.submit(), "Completed")
    journal = folder / JOURNAL_NAME
    sound = journal.read_bytes()
    journal.write_bytes(sound + encode({"event": "deleted", "id": row["process_id"], "at": 1.0})[:-5])
    async with running(folder) as service:
        assert await service.row(row["process_id"]) == row
        later = await service.reached(await service.submit(), "Completed")
    assert "torn line" in caplog.text
    assert journal.read_bytes().startswith(sound)
    async with running(folder) as service:
        assert await service.row(later["process_id"]) == later


async def test_a_damaged_line_costs_only_its_own_job(tmp_path, caplog):
    """A flipped bit in one acceptance loses that job, says so in the log, and leaves the others."""
    folder = tmp_path / "service"
    async with running(folder) as service:
        lost, kept = [await service.reached(await service.submit(), "Completed") for _ in range(2)]
    journal = folder / JOURNAL_NAME
    journal.write_bytes(journal.read_bytes().replace(b'"accepted"', b'"accEpted"', 1))
    async with running(folder) as service:
        assert await service.row(kept["process_id"]) == kept
        assert (await service.call("GET", f"/status/{lost['process_id']}"))[0] == 404
    assert "1 damaged lines" in caplog.text


async def test_files_without_a_job_are_swept(tmp_path):
    """What a crash left between an upload and its acceptance is removed by the next start; jobs keep theirs, and what
    is not of the service's making stays.
    """
    folder = tmp_path / "service"
    async with running(folder) as service:
        process_id = await service.submit()
        await service.reached(process_id, "Completed")
    stray = folder / "inputs" / "ab" / "ab345678-0000-4000-8000-000000000000"
    stray.write_bytes(b"half a picture")
    others = [folder / "inputs" / "ab" / "aunt may.jpg", folder / "inputs" / "scans" / stray.name]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"somebody's")
    clock = ShiftedClock()
    clock.ahead_s = 10.0
    async with running(folder, clock=clock) as service:

        async def is_swept():
            return not stray.exists()

        await until(is_swept, "the sweep")
        assert all(path.exists() for path in others)
        assert (await service.fetch((await service.link(process_id))["download_url"])).status == 200


async def test_pictures_without_a_journal_are_not_touched(tmp_path):
    """Whoever lost the journal is told, before the sweep takes every picture for a crash's."""
    folder = tmp_path / "service"
    async with running(folder) as service:
        await service.reached(await service.submit(), "Completed")
    (folder / "journal.jsonl").unlink()
    with pytest.raises(UsageError, match=r"no journal\.jsonl: bring that back"):
        async with running(folder):
            pass
    assert len([path for kind in ("inputs", "outputs") for path in (folder / kind).rglob("*") if path.is_file()]) == 2


async def test_somebody_elses_folder_is_refused_as_it_is(tmp_path):
    """A folder that is open to others and holds their files keeps both; an empty one is closed to others."""
    folder = tmp_path / "project"
    folder.mkdir(mode=0o755)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        async with running(folder):
            pass
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    (folder / "notes.txt").unlink()
    async with running(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_the_folder_belongs_to_one_service_and_one_user(tmp_path):
    """A second service on the same folder is refused with a clear error; nobody else may read the pictures."""
    folder = tmp_path / "service"
    async with running(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with pytest.raises(UsageError, match="in use by another process"):
            async with running(folder, clock=ImpatientClock()):
                pass


async def test_a_port_in_use_is_a_usage_error(tmp_path):
    """An address that can't be bound is said in one line, and the folder is free again."""
    async with running(tmp_path / "one") as service:
        port = int(service.base.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"127.0.0.1:{port} can't be served"):
            async with running(tmp_path / "two", port=port):
                pass
        async with running(tmp_path / "two"):
            pass


async def test_a_folder_that_can_not_be_made_is_a_machine_error(tmp_path):
    """A path through a file is no folder, and the error says which."""
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="can't be used"):
        async with running(tmp_path / "file" / "service"):
            pass


async def test_the_key_is_never_written_down(tmp_path, caplog):
    """Neither the log nor any file of the service nor the settings' repr holds the key, or a link's signature."""
    caplog.set_level(logging.DEBUG)
    async with running(tmp_path / "service") as service:
        process_id = await service.submit()
        await service.reached(process_id, "Completed")
        await service.reached(await service.submit("crash"), "Failed")
        link = (await service.link(process_id))["download_url"]
        await service.fetch(link)
        await service.post(picture(), headers={"X-API-Key": "wrong-" + KEY})
    written = [path.read_bytes() for path in (tmp_path / "service").rglob("*") if path.is_file()]
    assert not any(KEY.encode() in data for data in written)
    assert KEY not in caplog.text
    assert link.rpartition("signature=")[2] not in caplog.text
    assert KEY not in repr(ServiceSettings(folder=tmp_path, keys=frozenset({KEY})))


@pytest.mark.parametrize("wrong", [{"keys": frozenset({""})}, {"workers": 0}])
def test_impossible_settings_are_refused(tmp_path, wrong):
    """An empty key, or no worker, is a usage error before anything starts."""
    with pytest.raises(UsageError):
        ServiceSettings(**{"folder": tmp_path, "keys": frozenset({KEY}), **wrong})


async def test_a_service_needs_a_key(tmp_path):
    """With no key given and none in its folder nothing is served."""
    with pytest.raises(UsageError, match="at least one API key"):
        async with running(tmp_path / "service", keys=frozenset()):
            pass


async def test_a_record_without_credits_does_not_stop_the_service(tmp_path, caplog):
    """An ending that says nothing of credits is skipped with a word in the log; its job is done again."""
    folder = tmp_path / "service"
    async with running(folder) as service:
        process_id = await service.submit(f"wait {tmp_path / 'gate'}")
        await service.reached(process_id, "Processing")
    journal = folder / "journal.jsonl"
    with journal.open("ab") as file:
        file.write(encode({"event": "cancelled", "id": process_id, "at": 5.0}))
    assert read_ledger(folder).cancelled == 0
    (tmp_path / "gate").touch()
    async with running(folder) as service:
        await service.reached(process_id, "Completed")
    assert "1 others fit nothing" in caplog.text
