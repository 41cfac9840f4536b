"""Replays by shortcut give what a replay line after line gives, over journals and damage that nobody thought of."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.job.state import IllegalStep
from engine.job.still import Still
from engine.job.tally import Tally
from engine.journal.line import encode
from engine.journal.replay import Reading, proven, read
from engine.pipeline.fold import fold
from engine.pipeline.marks import Marks
from engine.pipeline.past import replay
from engine.pipeline.plan import Place
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.snapshot import Reach, Snapshot, save_snapshot
from tests.property.events import Record, journals

IN_A_FOLDER = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def _slowly(path: Path) -> tuple:
    """Fold record after record, as the live run does."""
    tally, marks, reading = Tally(), Marks(), Reading()
    try:
        for record in read(path, reading):
            if "job" in record:
                tally.apply(record, is_damaged=reading.damaged_lines > 0)
                marks.is_closed = False
            else:
                marks.apply(record)
    except IllegalStep:
        return ("illegal",)
    return vars(tally), marks, reading


def _quickly(path: Path) -> tuple:
    tally, marks, reading = Tally(), Marks(), Reading()
    try:
        fold(path, reading, tally, marks)
    except IllegalStep:
        return ("illegal",)
    return vars(tally), marks, reading


@settings(max_examples=400, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=journals())
def test_the_shortcut_folds_any_run_as_line_after_line_does(tmp_path: Path, records: list[Record]):
    """States, sums, open jobs, marks and what was read are the same, whatever the jobs went through."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(map(encode, records)))
    assert _quickly(path) == _slowly(path)


@settings(max_examples=400, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=journals(), data=st.data())
def test_the_shortcut_folds_any_damage_as_line_after_line_does(
    tmp_path: Path, records: list[Record], data: st.DataObject
):
    """Lines lost, doubled, flipped or torn: the same sums, or the same refusal."""
    lines: list[bytes] = []
    for line in map(encode, records):
        fate = data.draw(st.sampled_from(["sound"] * 8 + ["lost", "doubled", "flipped", "rubbish"]))
        flipped = bytes([line[0] ^ 2]) + line[1:]
        lines += {"lost": [], "doubled": [line] * 2, "flipped": [flipped], "rubbish": [b"{}\n"]}.get(fate, [line])
    whole = b"".join(lines)
    path = tmp_path / "journal.jsonl"
    path.write_bytes(whole[: data.draw(st.sampled_from([len(whole), len(whole) - 9]))])
    assert _quickly(path) == _slowly(path)


@settings(max_examples=100, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=journals(), block_bytes=st.integers(1, 400), data=st.data())
def test_blocks_of_any_size_hold_the_same_lines(
    tmp_path: Path, records: list[Record], block_bytes: int, data: st.DataObject
):
    """Where a block ends is no matter: the same bodies are proven, the same bytes torn or damaged."""
    lines = [encode(record) if data.draw(st.integers(0, 5)) else b"rubbish\n" for record in records]
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(lines) + data.draw(st.sampled_from([b"", b'{"at":1'])))
    whole, pieces = Reading(), Reading()
    bodies = [body for each in proven(path, whole, block_bytes=2**20) for body in each]
    assert [body for each in proven(path, pieces, block_bytes=block_bytes) for body in each] == bodies
    assert pieces == whole


@settings(max_examples=200, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=journals(), data=st.data())
def test_a_snapshot_and_the_rest_of_the_journal_are_the_whole_journal(
    tmp_path: Path, records: list[Record], data: st.DataObject
):
    """Taken after any event, with any damage before and after it: what is loaded is what a full replay gives."""
    lines = list(map(encode, records))
    for at in data.draw(st.sets(st.integers(0, max(0, len(lines) - 1)), max_size=2)) if lines else ():
        lines[at] = b"rubbish\n"
    cut = data.draw(st.integers(0, len(lines)))
    folder = RunFolder(tmp_path)
    folder.results.touch()
    folder.snapshot.unlink(missing_ok=True)
    folder.journal.write_bytes(b"".join(lines[:cut]))
    begun = _loaded(folder)
    if begun == ("illegal",) or begun[2].torn_bytes:  # nothing to take one of; a run cuts a torn tail first
        return
    _take(folder)
    with folder.journal.open("ab") as file:
        file.writelines(lines[cut:])
    from_snapshot = _loaded(folder)
    folder.snapshot.unlink()
    assert from_snapshot == _loaded(folder)


def _loaded(folder: RunFolder) -> tuple:
    reading = Reading()
    try:
        tally, marks, since = replay(folder, reading)
    except IllegalStep:
        return ("illegal",)
    assert (since is not None) == folder.snapshot.exists()
    return vars(tally), marks, reading


def _take(folder: RunFolder) -> None:
    reading = Reading()
    tally, marks, _since = replay(folder, reading)
    reach = Reach(reading.sound_bytes, reading.lines, reading.damaged_lines)
    snapshot = Snapshot(still=Still.of(tally), marks=marks, journal=reach, results=Reach(), plan=None)
    save_snapshot(folder, snapshot, Place())
