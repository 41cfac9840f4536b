"""Group commit: nobody is acknowledged before the disk has it, and the syncs follow the disk."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from engine.disk import AppendFile
from engine.errors import MachineError
from engine.journal.line import decode, encode
from engine.journal.replay import Reading, read
from engine.journal.writer import JournalWriter
from tests.fakes.journal_file import ScriptedFile


async def _begun(file: ScriptedFile) -> None:
    """Return once an append is under way."""
    assert await asyncio.to_thread(file.entered.wait, 20.0)


def _jobs(content: bytes) -> list[int]:
    return [decode(line)["job"] for line in content.splitlines(keepends=True)]


async def test_commit_returns_only_after_the_append():
    """As long as the disk has not answered, nobody is told that the record is safe."""
    file = ScriptedFile()
    async with JournalWriter(file, name="j") as journal:
        file.hold()
        commit = asyncio.create_task(journal.commit({"job": 1}))
        await _begun(file)
        assert not commit.done()
        assert file.appends == []
        file.release()
        await commit
        assert file.appends == [encode({"job": 1})]


async def test_what_comes_while_the_disk_is_busy_goes_in_one_group():
    """A hundred commits behind a slow write cost one more write, in the order they came."""
    file = ScriptedFile()
    async with JournalWriter(file, name="journal.jsonl") as journal:
        file.hold()
        first = asyncio.create_task(journal.commit({"job": 0}))
        await _begun(file)
        rest = [asyncio.create_task(journal.commit({"job": number})) for number in range(1, 101)]
        await asyncio.sleep(0)
        file.release()
        await asyncio.gather(first, *rest)
        assert repr(journal) == "<JournalWriter journal.jsonl: 101 lines in 2 groups>"
    assert [len(_jobs(data)) for data in file.appends] == [1, 100]
    assert _jobs(file.content) == list(range(101))


async def test_commit_covers_what_was_appended_before():
    """A bare commit returns once everything appended earlier is on disk, in flight or not."""
    file = ScriptedFile()
    async with JournalWriter(file, name="j") as journal:
        file.hold()
        journal.append({"job": 1})
        await _begun(file)
        bare = asyncio.create_task(journal.commit())
        await asyncio.sleep(0)
        assert not bare.done()
        file.release()
        await bare
        assert _jobs(file.content) == [1]
        await journal.commit()  # nothing is pending: returns at once
        assert file.calls == 1


async def test_after_a_failed_write_everybody_hears_of_it():
    """The group that failed, the one behind it and whoever comes later get MachineError, with the reason."""
    file = ScriptedFile(fails_at=1)
    async with JournalWriter(file, name="journal.jsonl") as journal:
        await journal.commit({"job": 0})
        file.hold()
        failing = asyncio.create_task(journal.commit({"job": 1}))
        await _begun(file)
        behind = [asyncio.create_task(journal.commit({"job": 2})), asyncio.create_task(journal.commit({"job": 3}))]
        await asyncio.sleep(0)
        file.release()
        for waiter in (failing, *behind):
            with pytest.raises(MachineError, match=r"^journal\.jsonl can't be written \(No space left on device\)"):
                await waiter
        with pytest.raises(MachineError):
            await journal.commit({"job": 4})
        with pytest.raises(MachineError):
            journal.append({"job": 5})
        with pytest.raises(MachineError):
            await journal.commit()
    assert _jobs(file.content) == [0]
    assert (file.calls, file.closed) == (2, 1)


async def test_any_failure_of_the_file_reaches_who_waits():
    """Even an error that no disk should raise ends the wait: nobody hangs on a writer that is dead."""
    file = ScriptedFile(fails_at=0, error=RuntimeError("can't start new thread"))
    async with JournalWriter(file, name="j") as journal, asyncio.timeout(20):
        with pytest.raises(MachineError, match="can't start new thread"):
            await journal.commit({"job": 0})


async def test_a_cancelled_waiter_does_not_take_its_record_back():
    """The record is written all the same, and the others of its group are not disturbed."""
    file = ScriptedFile()
    async with JournalWriter(file, name="j") as journal:
        file.hold()
        first = asyncio.create_task(journal.commit({"job": 0}))
        await _begun(file)
        given_up = asyncio.create_task(journal.commit({"job": 1}))
        other = asyncio.create_task(journal.commit({"job": 2}))
        await asyncio.sleep(0)
        given_up.cancel()
        first.cancel()
        for task in (given_up, first):
            with pytest.raises(asyncio.CancelledError):
                await task
        file.release()
        await other
    assert _jobs(file.content) == [0, 1, 2]


async def test_a_failure_that_nobody_waits_for_is_kept_for_the_next():
    """When every waiter was cancelled the failure is still told, once somebody asks, and nothing is logged."""
    file = ScriptedFile(fails_at=0)
    async with JournalWriter(file, name="j") as journal:
        file.hold()
        waiter = asyncio.create_task(journal.commit({"job": 0}))
        await _begun(file)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        file.release()
        with pytest.raises(MachineError):
            await journal.commit({"job": 1})


async def test_close_writes_what_is_pending():
    """Leaving the block makes every appended record durable before the file is closed."""
    file = ScriptedFile()
    async with JournalWriter(file, name="j") as journal:
        journal.append({"job": 1})
        journal.append({"job": 2})
    assert _jobs(file.content) == [1, 2]
    assert file.closed == 1
    await journal.close()
    assert file.closed == 1


async def test_a_closed_journal_takes_no_more():
    """A record after the end is an error of the programme, not a wait without an end."""
    async with JournalWriter(ScriptedFile(), name="journal.jsonl") as journal:
        pass
    with pytest.raises(RuntimeError, match=r"journal\.jsonl is closed"):
        journal.append({"job": 1})
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError):
            await journal.commit({"job": 1})


async def test_a_cancelled_close_does_not_close_the_file_under_a_write():
    """The file stays open until the write under way has ended; then it is closed."""
    file = ScriptedFile()
    journal = await JournalWriter(file, name="j").__aenter__()
    file.hold()
    journal.append({"job": 1})
    await _begun(file)
    closing = asyncio.create_task(journal.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert file.closed == 0
    file.release()
    assert await asyncio.to_thread(file.shut.wait, 20.0)
    assert _jobs(file.content) == [1]


async def test_a_full_disk_leaves_the_acknowledged_records(tmp_path: Path):
    """On a real file, past its size limit, exactly what was acknowledged is there, and nothing of the rest."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    path = tmp_path / "journal.jsonl"
    acknowledged = []
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        async with JournalWriter(AppendFile(path), name="j") as journal:
            with contextlib.suppress(MachineError):
                for number in range(100):
                    await journal.commit({"job": number, "event": "intent"})
                    acknowledged.append(number)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    reading = Reading()
    assert [record["job"] for record in read(path, reading)] == acknowledged
    assert reading.is_whole
    assert 10 < len(acknowledged) < 30


async def test_concurrent_commits_on_a_real_file_all_stand(tmp_path: Path):
    """Many writers, one file: every acknowledged record is there once, in far fewer writes."""
    path = tmp_path / "journal.jsonl"
    async with JournalWriter(AppendFile(path), name="j") as journal:
        await asyncio.gather(*(journal.commit({"job": number}) for number in range(500)))
        assert journal.lines_written == 500
        assert journal.groups_written < 50
    assert sorted(record["job"] for record in read(path)) == list(range(500))


async def test_the_reason_of_a_wordless_error_is_its_type():
    """An error without a text still says something."""
    async with JournalWriter(ScriptedFile(fails_at=0, error=MemoryError()), name="j") as journal:
        with pytest.raises(MachineError, match="MemoryError"):
            await journal.commit({"job": 0})


async def test_a_writer_knows_where_its_last_line_ends(tmp_path: Path):
    """Counted from the file's length on: once all is written, the file ends there."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"earlier\n")
    file = AppendFile(path, sync=False)
    async with JournalWriter(file, name="j", begin_bytes=file.size_bytes) as journal:
        assert (journal.end_bytes, journal.lines_appended) == (8, 0)
        for number in range(3):
            journal.append({"job": number})
        end = journal.end_bytes
        assert (journal.lines_appended, journal.lines_written) == (3, 0)
        await journal.commit()
        assert path.stat().st_size == end


async def test_a_milestone_is_reached_when_so_many_lines_are_written():
    """Not while they are on their way; at once when they are there already; and a cancelled waiter is forgotten."""
    file = ScriptedFile()
    async with JournalWriter(file, name="j") as journal, asyncio.timeout(20):
        given_up = asyncio.create_task(journal.reached(1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait((given_up,))
        await journal.commit({"job": 0})
        waiting = asyncio.create_task(journal.reached(2))
        await asyncio.sleep(0)
        assert not waiting.done()
        await journal.commit({"job": 1})
        await waiting
        await journal.reached(2)


async def test_a_pause_between_groups_gathers_what_comes_meanwhile():
    """The first line after a quiet moment is written at once; those that come during the pause make one group."""
    file, pauses, may_go_on = ScriptedFile(), [], asyncio.Event()

    async def pause() -> None:
        pauses.append(len(file.appends))
        await may_go_on.wait()

    async with JournalWriter(file, name="j", pause=pause) as journal, asyncio.timeout(20):
        await journal.commit({"job": 0})
        assert _jobs(file.content) == [0]
        behind = []
        for number in range(1, 6):
            behind.append(asyncio.create_task(journal.commit({"job": number})))
            await asyncio.sleep(0)
        assert (pauses, any(task.done() for task in behind)) == ([1], False)
        may_go_on.set()
        await asyncio.gather(*behind)
    assert [len(_jobs(data)) for data in file.appends] == [1, 5]


async def test_a_failed_write_is_not_followed_by_a_pause():
    """Whoever waits hears of it at once, and so does whoever comes after."""
    file, paused = ScriptedFile(fails_at=0), []

    async def pause() -> None:
        paused.append(True)

    async with JournalWriter(file, name="j", pause=pause) as journal, asyncio.timeout(20):
        for number in range(2):
            with pytest.raises(MachineError):
                await journal.commit({"job": number})
    assert paused == []
