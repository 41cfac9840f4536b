"""The snapshot saves time and never counts for more than the journal."""

import asyncio
import threading

import pytest

from engine.disk import AppendFile
from engine.job.outcome import Outcome
from engine.job.state import Event, State
from engine.journal.line import decode, encode
from engine.journal.replay import Reading, read
from engine.journal.writer import JournalWriter
from engine.pipeline.book import Book
from engine.pipeline.inspection import inspect
from engine.pipeline.marks import Marks
from engine.pipeline.past import Past, load_past, replay
from engine.pipeline.results import rewrite_results
from engine.pipeline.snapshot import load_snapshot
from engine.pipeline.snapshots import Snapshots, lines_between
from engine.pipeline.summary import ExitCode
from tests.fakes.clock import FakeClock
from tests.fakes.remote import Answer
from tests.pipeline.harness import Bench


def restored(tmp_path, pictures):
    """Return the bench of a finished run."""
    bench = Bench(tmp_path).pictures(pictures)
    bench.remote.fault("submit", Answer(400))
    asyncio.run(bench.restore())
    return bench


def known(folder):
    """Return what the files prove, and whether a snapshot helped."""
    tally, marks, since = replay(folder, reading := Reading())
    return (vars(tally), marks, reading), since is not None


@pytest.fixture
def finished(tmp_path):
    return restored(tmp_path, 3)


def test_a_run_leaves_a_snapshot_of_all_it_did(finished):
    """The next process begins where this one ended: not one line of journal, plan or results is left to read."""
    folder = finished.run_folder
    since = load_snapshot(folder)
    assert since is not None
    assert since.journal.size_bytes == folder.journal.stat().st_size
    assert since.results.size_bytes == folder.results.stat().st_size
    assert (since.results.lines, since.marks.planned, since.marks.is_closed) == (3, 3, True)
    assert since.plan is not None
    assert since.plan.is_of(folder.plan)
    assert (since.plan.place.number, since.plan.place.at_byte) == (3, folder.plan.stat().st_size)


def test_it_says_what_the_journal_says(finished):
    """With the snapshot or without it, sums, states, marks and what was read are the same."""
    helped, is_helped = known(finished.run_folder)
    finished.run_folder.snapshot.unlink()
    alone, is_helped_too = known(finished.run_folder)
    assert (is_helped, is_helped_too) == (True, False)
    assert helped == alone


@pytest.mark.parametrize("at", range(0, 600, 23))
def test_a_damaged_snapshot_counts_for_nothing(finished, at):
    """A flipped bit anywhere, and the journal is read instead."""
    data = bytearray(finished.run_folder.snapshot.read_bytes())
    data[at % len(data)] ^= 4
    finished.run_folder.snapshot.write_bytes(data)
    alone, is_helped = known(finished.run_folder)
    assert not is_helped
    assert alone[0]["counts"][State.DONE] == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda record: {**record, "version": 1},
        lambda record: {**record, "tally": {}},
        lambda record: {**record, "marks": None},
        lambda record: {"event": "something else"},
    ],
)
def test_another_versions_snapshot_counts_for_nothing(finished, change):
    """What is sound but not ours is passed over without a word."""
    path = finished.run_folder.snapshot
    path.write_bytes(encode(change(decode(path.read_bytes()))))
    assert load_snapshot(finished.run_folder) is None
    assert inspect(finished.run_folder).done == 2


@pytest.mark.parametrize("damage", ["cut", "other", "gone"])
def test_a_snapshot_of_another_journal_counts_for_nothing(finished, damage):
    """A journal that is shorter than it was, or holds other lines there, speaks for itself."""
    path = finished.run_folder.journal
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    if damage == "cut":
        path.write_bytes(whole[:-1])
    elif damage == "other":
        path.write_bytes(b"".join([*lines[:-1], encode({**decode(lines[-1]), "at": 1.0}), *lines[-2:]]))
    else:
        path.unlink()
    assert load_snapshot(finished.run_folder) is None


def test_a_plan_that_was_touched_is_read_again(finished):
    """A plan is believed unread only while its length and time of change are those of the snapshot."""
    folder = finished.run_folder
    plan = folder.plan.read_bytes()
    folder.plan.write_bytes(plan)
    past = load_past(finished.order(), folder)
    assert (past.place.number, past.jobs, past.plan.lines, past.plan.sound_bytes) == (0, 3, 3, len(plan))


def test_missing_rows_are_added_to_those_the_snapshot_stands_for(finished):
    """A row lost after the snapshot is made from the journal's tail; what was there before it is not read again."""
    folder = finished.run_folder
    since = load_snapshot(folder)
    assert since is not None
    marked = folder.results.read_bytes()
    with folder.journal.open("ab") as file:
        file.write(encode({"job": 3, "event": "failed", "source": "s", "reason": "no", "credits": 0}))
    folder.results.write_bytes(b"?" + marked[1:] + b'{"torn')
    tally, _marks, _since = replay(folder, Reading())
    rewrite_results(folder, tally, since)
    assert folder.results.read_bytes()[: len(marked)] == b"?" + marked[1:]
    assert list(read(folder.results))[-1] == {"job": 3, "status": "failed", "source": "s", "reason": "no", "credits": 0}


@pytest.mark.parametrize("is_helped", [True, False])
def test_a_job_that_a_damaged_journal_ends_twice_has_one_row(finished, is_helped):
    """Whether both of its ends are read or one is behind the snapshot."""
    folder = finished.run_folder
    ends = [record for record in read(folder.journal) if record["event"] in ("done", "failed")]
    with folder.journal.open("ab") as file:
        file.write(b"rubbish\n" + encode(ends[0]))
        file.write(encode({"job": 3, "event": "failed", "source": "s", "reason": "no"}))
    tally, _marks, since = replay(folder, Reading())
    rewrite_results(folder, tally, since if is_helped else None)
    assert sorted(row["job"] for row in read(folder.results)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data[: data.rindex(b"{")],
        lambda data: data + b"{",
        lambda data: data[:-9] + b"?" + data[-8:],
        lambda data: bytes(100) + data[100:].replace(b"\n", b"\0", 1),
    ],
)
def test_results_that_lost_something_are_made_anew(finished, damage):
    """Without a snapshot to go by, too few lines or an unsound end bring every row back from the journal."""
    folder = finished.run_folder
    folder.results.write_bytes(damage(folder.results.read_bytes()))
    tally, _marks, _since = replay(folder, Reading())
    rewrite_results(folder, tally)
    rows = list(read(folder.results, reading := Reading()))
    assert sorted(row["job"] for row in rows) == [0, 1, 2]
    assert reading.is_whole


def test_results_that_lost_nothing_stay_as_they_are(finished):
    """Nor are the rows before the last one looked into."""
    folder = finished.run_folder
    data = b"?" + folder.results.read_bytes()[1:]
    folder.results.write_bytes(data)
    tally, _marks, _since = replay(folder, Reading())
    rewrite_results(folder, tally)
    assert folder.results.read_bytes() == data


def test_results_that_are_not_the_snapshots_are_made_anew(finished):
    """Other bytes where the snapshot's rows ended: every row comes from the journal again."""
    folder = finished.run_folder
    whole = folder.results.read_bytes()
    folder.results.write_bytes(whole[:-3])
    tally, _marks, since = replay(folder, Reading())
    assert since is not None
    rewrite_results(folder, tally, since)
    assert sorted(row["job"] for row in read(folder.results)) == [0, 1, 2]


class HeldFile(AppendFile):
    """A journal file whose appends wait for `may_go`."""

    def __init__(self, path):
        super().__init__(path, sync=False)
        self.may_go = threading.Event()
        self.entered = threading.Event()

    def append(self, data):
        self.entered.set()
        assert self.may_go.wait(20)
        super().append(data)


async def test_a_snapshot_waits_for_the_lines_it_stands_for(tmp_path):
    """While the journal is on its way to the disk there is none; then it reaches to where the journal was copied."""
    bench = Bench(tmp_path)
    folder = bench.run_folder
    folder.path.mkdir(parents=True)
    file, rows = HeldFile(folder.journal), AppendFile(folder.results, sync=False)
    past = Past(known=load_past(bench.order(), folder).known)
    async with (
        JournalWriter(file, name="journal") as journal,
        JournalWriter(rows, name="results") as results,
    ):
        book = Book(past.tally, Marks(), journal, results, FakeClock())
        snapshots = Snapshots(folder, past, book, (journal, results))
        book.note(0, Event.INTENT, credits=1)
        taking = asyncio.create_task(snapshots.take())
        await asyncio.sleep(0)
        end_bytes = journal.end_bytes
        book.note(0, Event.ACCEPTED, process_id="p", eta=1.0)
        ending = asyncio.create_task(book.end(Outcome(number=0, source="s", credits=1)))
        assert await asyncio.to_thread(file.entered.wait, 20)
        for _turn in range(20):  # time enough for whoever does not wait
            await asyncio.to_thread(folder.snapshot.exists)
        assert not taking.done()
        assert not folder.snapshot.exists()
        file.may_go.set()
        await taking
        await ending
    since = load_snapshot(folder)
    assert since is not None
    assert (since.journal.size_bytes, since.journal.lines, since.results.lines) == (end_bytes, 1, 0)
    assert since.still.tally().counts[State.INTENT] == 1
    (tally, _marks, _reading), is_helped = known(folder)
    assert is_helped
    assert tally == vars(book.tally)


async def test_snapshots_are_taken_as_the_journal_grows(tmp_path):
    """One after every so many lines, without anybody asking."""
    bench = Bench(tmp_path)
    folder = bench.run_folder
    folder.path.mkdir(parents=True)
    files = [AppendFile(path, sync=False) for path in (folder.journal, folder.results)]
    past = load_past(bench.order(), folder)
    async with JournalWriter(files[0], name="j") as journal, JournalWriter(files[1], name="r") as results:
        book = Book(past.tally, past.marks, journal, results, FakeClock())
        snapshots = Snapshots(folder, past, book, (journal, results), every=10)
        keeping = asyncio.create_task(snapshots.run())
        lines, reached = 0, set()
        async with asyncio.timeout(20):
            while len(reached) < 4:
                await book.commit(lines, Event.INTENT, credits=1)
                lines += 1
                since = await asyncio.to_thread(load_snapshot, folder)
                reached.add(since.journal.lines if since is not None else 0)
        keeping.cancel()
        await asyncio.wait((keeping,))
        await snapshots.take()
    assert min(reached - {0}) >= 10
    since = load_snapshot(folder)
    assert since is not None
    assert since.journal.lines == lines


def test_longer_runs_take_them_less_often():
    """What they cost stays a small share: so many lines for small runs, a share of the plan for large ones."""
    assert lines_between(0) == lines_between(100_000) == 20_000
    assert lines_between(10_000_000) == 500_000


async def test_a_snapshot_that_can_not_be_written_stops_nothing(tmp_path):
    """A folder in its place, and the run goes on to its end; so does the next."""
    bench = Bench(tmp_path).pictures(2)
    bench.run_folder.snapshot.mkdir(parents=True)
    assert (await bench.restore()).exit_code is ExitCode.DONE
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert bench.run_folder.snapshot.is_dir()
