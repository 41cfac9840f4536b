"""Replay: the order in which jobs take turns is no matter, and a journal may end anywhere and be gone on from."""

from copy import deepcopy
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.job.state import TABLE, Event, State
from engine.job.tally import Tally
from engine.journal.line import encode
from engine.journal.replay import Reading
from engine.pipeline.fold import fold
from engine.pipeline.marks import Marks
from tests.property.events import Record, journals

IN_A_FOLDER = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def _replayed(path: Path) -> tuple[Tally, Marks, Reading]:
    tally, marks, reading = Tally(), Marks(), Reading()
    fold(path, reading, tally, marks)
    return tally, marks, reading


@st.composite
def truthful(draw: st.DrawFn) -> list[Record]:
    """A journal in which whoever takes a failure back says what the failure said, as the engine does."""
    failures: dict[int, Record] = {}
    records = draw(journals())
    for record in records:
        if record["event"] == Event.FAILED:
            failures[record["job"]] = record
        elif record["event"] in (Event.RETRIED, Event.RECLAIMED):
            record["reason"] = failures[record["job"]].get("reason", "")
            record["charged"] = failures[record["job"]].get("credits", 0)
    return records


@st.composite
def reordered(draw: st.DrawFn, records: list[Record]) -> list[Record]:
    """The same records in another order, in which those of one job, and the marks, keep theirs."""
    queues: dict[object, list[Record]] = {}
    for record in records:
        queues.setdefault(record.get("job"), []).append(record)
    turns = draw(st.permutations([record.get("job") for record in records]))
    return [queues[job].pop(0) for job in turns]


@settings(max_examples=200, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=truthful(), data=st.data())
def test_any_interleaving_of_the_same_jobs_replays_to_one_state(
    tmp_path: Path, records: list[Record], data: st.DataObject
):
    """Jobs run side by side: however their lines fall among each other, states, money and what is open are the same."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(map(encode, records)))
    tally, marks, _reading = _replayed(path)
    path.write_bytes(b"".join(map(encode, data.draw(reordered(records)))))
    other, other_marks, _reading = _replayed(path)
    assert vars(other) == vars(tally)
    assert other_marks.planned == marks.planned


def _check_valid(tally: Tally) -> None:
    """A state that a resume can begin from: it adds up, and every job in flight can be found again."""
    assert tally.counts == {state: tally.states.count(state) for state in State}
    half_done = {number for number, job in tally.open.items() if job.staged is not None}
    in_flight = {number for number, byte in enumerate(tally.states) if State(byte).is_in_flight}
    assert in_flight <= set(tally.open) <= in_flight | half_done
    for number, job in tally.open.items():
        assert bool(job.process_id) == (tally.state(number) is State.ACCEPTED)
        assert job.credits >= 0
    assert tally.reserved == sum(job.credits for job in tally.open.values())
    assert tally.charged >= 0
    assert tally.reasons.total() == tally.counts[State.FAILED]
    assert tally.damaged_steps == 0


@settings(max_examples=200, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=truthful(), data=st.data())
def test_a_replay_of_any_prefix_is_a_valid_state(tmp_path: Path, records: list[Record], data: st.DataObject):
    """Cut at any byte, the journal replays to what its whole lines say, and that is a state to go on from."""
    lines = list(map(encode, records))
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path / "journal.jsonl"
    path.write_bytes(whole[:cut])
    tally, _marks, reading = _replayed(path)
    assert reading.sound_bytes + reading.torn_bytes == cut
    assert reading.damaged_lines == 0
    _check_valid(tally)

    path.write_bytes(b"".join(lines[: reading.lines]))
    assert vars(_replayed(path)[0]) == vars(tally)


@settings(max_examples=100, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=truthful(), data=st.data())
def test_from_any_prefix_the_rest_leads_to_the_same_end(tmp_path: Path, records: list[Record], data: st.DataObject):
    """What was replayed up to anywhere takes the events that follow, step by step, and ends where one replay ends."""
    cut = data.draw(st.integers(0, len(records)))
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(map(encode, records[:cut])))
    tally, _marks, _reading = _replayed(path)
    for record in records[cut:]:
        if "job" in record:
            before = tally.state(record["job"])
            assert tally.apply(deepcopy(record)) is TABLE[before, record["event"]]
            _check_valid(tally)
    path.write_bytes(b"".join(map(encode, records)))
    assert vars(_replayed(path)[0]) == vars(tally)
