"""A tally standing still: all that it knows, through JSON and back."""

import pytest
from hypothesis import given, settings

from engine.job.still import Still
from engine.job.tally import Tally
from engine.journal.line import decode, encode
from tests.property.events import Record, journals


def _tally(records: list[Record]) -> Tally:
    tally = Tally()
    tally.grow(9)
    for record in records:
        if "job" in record:
            tally.apply(record)
    return tally


@settings(max_examples=100, deadline=None)
@given(records=journals())
def test_a_tally_comes_back_whole(records: list[Record]):
    """Every sum, state, reason and open job survives being written down."""
    tally = _tally(records)
    record = decode(encode(Still.of(tally).record()))
    assert vars(Still.of_record(record).tally()) == vars(tally)


def test_it_stands_still():
    """What happens to the tally afterwards does not change it, and what happens to its copy does not either."""
    tally = _tally([{"job": 0, "event": "intent", "credits": 1}])
    still = Still.of(tally)
    before = still.record()
    tally.apply({"job": 0, "event": "accepted", "process_id": "p"})
    still.tally().apply({"job": 0, "event": "failed", "reason": "no"})
    assert still.record() == before
    assert still.tally().open[0].process_id == ""


@pytest.mark.parametrize("states", ["", "AAAA", "ä", None])
def test_states_that_were_never_written_are_refused(states: str | None):
    """A record of somebody else's making ends in an error, not in wrong sums."""
    record = {**Still.of(Tally()).record(), "states": states}
    with pytest.raises((ValueError, TypeError)):
        Still.of_record(record)
