"""Any run that the table allows: the sums are exact, and a replay of its journal gives the same."""

from collections import Counter
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.job.state import TABLE, Event, IllegalStep, State
from engine.job.tally import Tally
from engine.journal.line import decode, encode


@st.composite
def runs(draw: st.DrawFn) -> list[dict]:
    """The journal of a run over several jobs, their events interleaved as the table allows."""
    states = [State.PLANNED] * draw(st.integers(1, 5))
    prices = [draw(st.integers(1, 9)) for _job in states]
    stages = [1] * len(states)
    records = []
    for _event in range(draw(st.integers(0, 40))):
        open_jobs = [number for number, state in enumerate(states) if state is not State.DONE]
        if not open_jobs:
            break
        number = draw(st.sampled_from(open_jobs))
        event = draw(st.sampled_from([event for before, event in TABLE if before is states[number]]))
        states[number] = TABLE[states[number], event]
        if event in (Event.STAGED, Event.FAILED, Event.DONE):
            stages[number] = 2 if event is Event.STAGED else 1
        members = _members(draw, event, prices[number])
        if event is Event.INTENT and stages[number] == 2:
            members["stage"] = 2
        records.append({"at": float(len(records)), "job": number, "event": event.value, **members})
    return records


def _members(draw: st.DrawFn, event: Event, price: int) -> dict:
    match event:
        case Event.INTENT:
            return {"credits": price, "attempt": draw(st.integers(1, 5)), "input_sha256": "ab"}
        case Event.ACCEPTED:
            process_id = draw(st.text("abc", min_size=1, max_size=3))
            return {"process_id": process_id, "eta": 5.0, **({"adopted": True} if draw(st.booleans()) else {})}
        case Event.STAGED:
            staged = {"process_id": "s", "credits": draw(st.integers(0, 9))}
            return {"credits": draw(st.integers(1, 9)), "staged": staged}
        case Event.DOWNLOADING:
            return {"etag": '"e"'}
        case Event.DONE:
            return {"credits": draw(st.integers(0, 9)), "faces": draw(st.none() | st.integers(0, 9))}
        case Event.FAILED:
            return {"reason": draw(st.sampled_from(["one", "other"]))}
        case Event.RETRIED:
            return {"reason": draw(st.sampled_from(["one", "other"])), "generation": draw(st.integers(1, 3))}
        case Event.RECLAIMED:
            return {"reason": "one", "process_id": "r", "credits": 0, "attempt": 2}
    return {}


def _fold(records: list[dict], *, is_damaged: bool = False) -> Tally:
    tally = Tally()
    for record in records:
        tally.apply(record, is_damaged=is_damaged)
    return tally


def _check(tally: Tally) -> None:
    """What holds after every event of every run."""
    assert sum(tally.counts.values()) == tally.planned == len(tally.states)
    counted = Counter(map(State, tally.states))
    assert {state: tally.counts[state] for state in State} == {state: counted[state] for state in State}
    in_flight = {number for number, state in enumerate(tally.states) if State(state).is_in_flight}
    half_done = {number for number, job in tally.open.items() if job.staged is not None}
    assert in_flight <= set(tally.open)
    assert all(number in half_done and tally.state(number) is State.PLANNED for number in set(tally.open) - in_flight)
    assert tally.reserved == sum(job.credits for job in tally.open.values())
    assert tally.reserved >= 0
    assert tally.open or tally.reserved == 0
    assert tally.ended == tally.counts[State.DONE] + tally.counts[State.FAILED]
    assert tally.reasons.total() == tally.counts[State.FAILED]
    for number, job in tally.open.items():
        assert bool(job.process_id) == (tally.state(number) is State.ACCEPTED)


@settings(max_examples=150, deadline=None)
@given(records=runs())
def test_the_sums_are_exact_after_every_event(records: list[dict]):
    """Counts add up to the plan, reserved credits to the open jobs, charged ones to the finished jobs."""
    tally = Tally()
    for record in records:
        tally.apply(record)
        _check(tally)
    done = [record for record in records if record["event"] == "done"]
    half_done = [job.staged.credits for job in tally.open.values() if job.staged is not None]
    assert tally.charged == sum(record["credits"] for record in done) + sum(half_done)
    assert tally.faces == sum(record["faces"] or 0 for record in done)
    assert tally.damaged_steps == 0


@settings(max_examples=100, deadline=None)
@given(records=runs(), data=st.data())
def test_a_replay_gives_the_same_as_the_live_run(records: list[dict], data: st.DataObject):
    """Killed after any event: what the journal's lines fold to is what the run knew then."""
    cut = data.draw(st.integers(0, len(records)))
    live = _fold(records[:cut])
    replayed = _fold([decode(encode(record)) for record in records[:cut]])
    assert vars(replayed) == vars(live)
    for record in records[cut:]:
        replayed.apply(record)
    assert vars(replayed) == vars(_fold(records))


@settings(max_examples=100, deadline=None)
@given(records=runs(), number=st.integers(0, 6), event=st.sampled_from(Event))
def test_a_forbidden_step_changes_nothing_in_any_run(records: list[dict], number: int, event: Event):
    """Wherever a run stands, an event that the table lacks is an error and leaves no trace."""
    tally = _fold(records)
    if (tally.state(number), event) in TABLE:
        return
    before = deepcopy(vars(tally))
    with pytest.raises(IllegalStep):
        tally.apply({"job": number, "event": event.value, "process_id": "x", "credits": 4})
    assert vars(tally) == before


@settings(max_examples=150, deadline=None)
@given(records=runs(), data=st.data())
def test_a_journal_with_lost_lines_still_adds_up(records: list[dict], data: st.DataObject):
    """Whatever lines are lost: no error, exact counts, no job in flight without a way to find it, no end undone."""
    kept = [record for record in records if data.draw(st.booleans())]
    tally = Tally()
    for record in kept:
        tally.apply(record, is_damaged=True)
        _check(tally)
    again = {record["job"] for record in kept if "generation" in record or record["event"] == "reclaimed"}
    for record in kept:
        if record["event"] in ("done", "failed") and record["job"] not in again:
            assert tally.state(record["job"]).is_final
        if record["event"] == "done":
            assert tally.state(record["job"]) is not State.PLANNED
