"""The life of a job: every cell of the table, and every cell that is not there."""

import itertools

import pytest

from engine.job.state import TABLE, Event, IllegalStep, State, diagram, step

CELLS = list(itertools.product(State, Event))


@pytest.mark.parametrize(("state", "event"), CELLS)
def test_a_step_goes_where_the_table_says_or_not_at_all(state: State, event: Event):
    """A cell of the table is the new state; a missing one is an error that names both."""
    if (state, event) in TABLE:
        assert step(state, event) is TABLE[state, event]
        return
    with pytest.raises(IllegalStep, match=f"a job that is {state.name.lower()} can't take '{event.value}'"):
        step(state, event)


def test_the_contracts_story_in_steps():
    """The cases that the design rests on, spelled out: a change of the table that breaks one is a decision."""
    stories = {
        "straight": ("intent accepted done", State.DONE),
        "large result": ("intent accepted downloading downloading done", State.DONE),
        "429 and again": ("intent refused intent accepted done", State.DONE),
        "lost answer, found": ("intent unclear accepted done", State.DONE),
        "lost answer, absent": ("intent unclear absent intent accepted done", State.DONE),
        "killed after the intent, found": ("intent accepted done", State.DONE),
        "killed after the intent, absent": ("intent absent intent accepted done", State.DONE),
        "expired at the remote": ("intent accepted unclear absent intent accepted done", State.DONE),
        "refused while planning": ("failed", State.FAILED),
        "bad picture": ("intent failed", State.FAILED),
        "failed remotely": ("intent accepted failed", State.FAILED),
        "given up while unclear": ("intent unclear failed", State.FAILED),
        "intent lost from the journal": ("unclear accepted done", State.DONE),
        "two stages": ("intent accepted staged intent accepted done", State.DONE),
        "two stages, 429 before the second": ("intent accepted staged intent refused intent accepted done", State.DONE),
        "second stage's answer lost, absent": (
            "intent accepted staged intent unclear absent intent accepted done",
            State.DONE,
        ),
        "second stage lost from the journal": ("intent staged unclear accepted done", State.DONE),
        "failed and retried": ("intent failed retried intent accepted done", State.DONE),
        "failed once paid, and fetched after all": ("intent accepted failed reclaimed done", State.DONE),
    }
    for name, (events, end) in stories.items():
        state = State.PLANNED
        for event in events.split():
            state = step(state, Event(event))
        assert state is end, name


def test_nothing_is_sent_twice_without_proof():
    """Only a planned job takes an intent; a refusal, a proven absence, a retry or a stage makes it planned again."""
    assert [before for (before, event) in TABLE if event is Event.INTENT] == [State.PLANNED]
    back = {event for (before, event), after in TABLE.items() if after is State.PLANNED}
    assert back == {Event.REFUSED, Event.ABSENT, Event.RETRIED, Event.STAGED}


def test_every_state_is_reachable():
    """From planned, some chain of events leads to each state."""
    reached = {State.PLANNED}
    while more := {after for (before, _event), after in TABLE.items() if before in reached} - reached:
        reached |= more
    assert reached == set(State)


def test_only_a_retry_leads_out_of_a_final_state_and_all_others_reach_one():
    """A done job stays done, a failed one fails until it is retried; no other state is a dead end."""
    out = [cell for cell in TABLE if cell[0].is_final]
    assert out == [(State.FAILED, Event.RETRIED), (State.FAILED, Event.RECLAIMED)]
    for start in State:
        reached = {start}
        while more := {after for (before, _event), after in TABLE.items() if before in reached} - reached:
            reached |= more
        assert any(state.is_final for state in reached), start


def test_every_event_leads_to_one_state():
    """What an event means does not depend on what came before: a journal with gaps can be believed line by line."""
    for event in Event:
        assert len({after for (_before, each), after in TABLE.items() if each is event}) == 1, event


def test_states_are_planned_in_flight_or_final():
    """Each state is exactly one of the three, and a fresh byte is a planned job."""
    assert State(bytes(1)[0]) is State.PLANNED
    for state in State:
        assert (state is State.PLANNED) + state.is_in_flight + state.is_final == 1


def test_the_diagram_shows_every_cell():
    """The picture in the documentation is drawn from the table itself."""
    lines = diagram().splitlines()
    assert lines[:2] == ["stateDiagram-v2", "    [*] --> planned"]
    for (before, event), after in TABLE.items():
        assert f"    {before.name.lower()} --> {after.name.lower()}: {event.value}" in lines
    assert {"    done --> [*]", "    failed --> [*]"} <= set(lines)
    assert len(lines) == 2 + len(TABLE) + 2
