"""Journals as runs write them: several jobs, their events interleaved as the table allows, with all their members."""

from typing import Any

from hypothesis import strategies as st

from engine.job.state import TABLE, Event, State

__all__ = ["journals"]

Record = dict[str, Any]
# What could be taken for JSON, or for another member, by somebody who does not decode it.
_NAMES = st.sampled_from(
    ["a.jpg", 'a","credits":9,"faces":9,"attempts":1', "{", "b\\", 'c\\"', "ä\n,", ',"adopted":true', '"adopted":']
)
_MARKS = (
    {"event": "opened", "run": "r"},
    {"event": "planning"},
    {"event": "planned", "jobs": 9},
    {"event": "closed", "reason": None, "is_sound": True},
    {"event": "closed", "reason": "interrupted", "is_sound": False},
)


@st.composite
def journals(draw: st.DrawFn) -> list[Record]:
    """The records of a run's journal, most jobs of which go straight on, and marks among them."""
    states = [State.PLANNED] * draw(st.integers(1, 6))
    straight = draw(st.lists(st.booleans(), min_size=len(states), max_size=len(states)))
    stages = [1] * len(states)
    records: list[Record] = []
    for at in range(draw(st.integers(0, 60))):
        if draw(st.integers(0, 12)) == 0:
            records.append({"at": at + 0.5, **draw(st.sampled_from(_MARKS))})
        left = [number for number, state in enumerate(states) if state is not State.DONE]
        if not left:
            break
        number = draw(st.sampled_from(left))
        events = [event for before, event in TABLE if before is states[number]]
        ordinary = [event for event in (Event.INTENT, Event.ACCEPTED, Event.DONE) if event in events]
        event = ordinary[0] if straight[number] and ordinary else draw(st.sampled_from(events))
        states[number] = TABLE[states[number], event]
        if event in (Event.STAGED, Event.FAILED, Event.DONE):
            stages[number] = 2 if event is Event.STAGED else 1
        members = _members(draw, event) | ({"stage": 2} if event is Event.INTENT and stages[number] == 2 else {})
        records.append({"at": float(at), "job": number, "event": event.value, **members})
    return records


def _members(draw: st.DrawFn, event: Event) -> Record:
    match event:
        case Event.INTENT:
            more = draw(st.sampled_from([{}, {}, {"generation": 1}]))
            return {
                "attempt": draw(st.integers(1, 3)),
                "credits": draw(st.integers(1, 9)),
                "input_sha256": "ab",
                **more,
            }
        case Event.ACCEPTED:
            more = draw(st.sampled_from([{}, {}, {"adopted": True}, {"credits": 4}, {"adopted": True, "credits": 2}]))
            return {"process_id": draw(_NAMES), "eta": 5.25, **more}
        case Event.STAGED:
            return {"credits": draw(st.integers(1, 9)), "staged": _stage_end(draw)}
        case Event.DOWNLOADING:
            return {"etag": '"e"'}
        case Event.RETRIED:
            return {
                "generation": draw(st.integers(1, 3)),
                "reason": "one",
                **draw(st.sampled_from([{}, {"output": "o"}])),
            }
        case Event.RECLAIMED:
            more = draw(st.sampled_from([{}, {"generation": 2}, {"staged": _stage_end(draw)}]))
            charged = draw(st.integers(0, 9))
            return {"process_id": draw(_NAMES), "reason": "other", "credits": 3, "charged": charged, **more}
        case Event.DONE | Event.FAILED:
            return _end(draw, event)
    return {"reason": "reset"}


def _stage_end(draw: st.DrawFn) -> Record:
    end = {"process_id": draw(_NAMES), "credits": draw(st.integers(0, 9)), "attempts": 1, "faces": None}
    return {**end, "warnings": ["w"], "timings": {"submit_s": 0.5, "credits": 7}}


def _end(draw: st.DrawFn, event: Event) -> Record:
    row: Record = {"source": draw(_NAMES), "output": draw(_NAMES), "process_id": draw(_NAMES)}
    if event is Event.FAILED:
        row["reason"] = draw(st.sampled_from(["one", "other"]))
    row |= {"credits": draw(st.integers(0, 9)), "faces": draw(st.none() | st.integers(0, 9))}
    nested = {"timings": {"submit_s": 0.5, "credits": 7, "faces": 7, "attempts": 7}}
    members = list({**row, "attempts": 1, **nested}.items())
    if draw(st.integers(0, 3)) == 0:  # another version may write them in another order, or leave some out
        members = draw(st.permutations(members))[: draw(st.integers(0, len(members)))]
    return dict(members)
