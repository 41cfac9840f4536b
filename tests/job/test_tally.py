"""The sums of a run: folded from events, exact, and unchanged by what the table forbids."""

import itertools
from copy import deepcopy

import pytest

from engine.job.state import TABLE, Event, IllegalStep, State
from engine.job.tally import Again, OpenJob, Tally

# How each state is reached from nothing.
WAY = {
    State.PLANNED: (),
    State.INTENT: (Event.INTENT,),
    State.UNKNOWN: (Event.INTENT, Event.UNCLEAR),
    State.ACCEPTED: (Event.INTENT, Event.ACCEPTED),
    State.DONE: (Event.INTENT, Event.ACCEPTED, Event.DONE),
    State.FAILED: (Event.INTENT, Event.FAILED),
}
MEMBERS = {
    Event.INTENT: {"at": 10.0, "attempt": 1, "credits": 3, "input_sha256": "ab"},
    Event.ACCEPTED: {"at": 11.0, "process_id": "p1", "eta": 99.0},
    Event.UNCLEAR: {"at": 12.0, "reason": "reset"},
    Event.STAGED: {"at": 12.5, "credits": 2, "staged": {"process_id": "p0", "credits": 1, "attempts": 1}},
    Event.DOWNLOADING: {"at": 13.0, "etag": '"e"'},
    Event.DONE: {"at": 14.0, "credits": 2, "faces": 4},
    Event.FAILED: {"at": 15.0, "reason": "no face"},
    Event.RETRIED: {"at": 16.0, "reason": "no face", "generation": 1},
    Event.RECLAIMED: {"at": 16.0, "reason": "no face", "process_id": "p1", "credits": 2, "charged": 2, "attempt": 3},
}


def _record(event: Event, number: int = 0, **members) -> dict:
    return {"job": number, "event": event.value, **MEMBERS.get(event, {}), **members}


def _tally(*events: Event) -> Tally:
    tally = Tally()
    tally.grow(1)
    for event in events:
        tally.apply(_record(event))
    return tally


def _seen(tally: Tally) -> dict:
    return deepcopy(vars(tally))


@pytest.mark.parametrize(
    ("state", "event"), [cell for cell in itertools.product(State, Event) if cell not in TABLE], ids=str
)
def test_a_forbidden_step_changes_nothing(state: State, event: Event):
    """The error leaves states, counts, money and open jobs exactly as they were."""
    tally = _tally(*WAY[state])
    before = _seen(tally)
    with pytest.raises(IllegalStep):
        tally.apply(_record(event))
    assert _seen(tally) == before


def test_a_forbidden_step_of_an_unseen_job_does_not_even_make_room():
    """A job that the plan has not named yet is not brought into being by an error."""
    tally = Tally()
    with pytest.raises(IllegalStep):
        tally.apply(_record(Event.ACCEPTED, 7))
    assert tally.planned == 0


def test_an_unknown_event_is_refused():
    """A word that is no event is an error of its own, and nothing changed."""
    tally = _tally()
    before = _seen(tally)
    with pytest.raises(ValueError, match="rejoice"):
        tally.apply({"job": 0, "event": "rejoice"})
    assert _seen(tally) == before


def test_a_new_tally_is_empty_and_grows_with_the_plan():
    """Jobs of the plan count as planned; growing to less changes nothing."""
    tally = Tally()
    assert repr(tally) == "<Tally empty; 0 credits charged, 0 reserved>"
    tally.grow(5)
    tally.grow(3)
    assert (tally.planned, tally.counts[State.PLANNED], tally.ended) == (5, 5, 0)
    assert tally.state(4) is tally.state(4000) is State.PLANNED


def test_credits_are_reserved_by_the_intent_and_charged_when_done():
    """What is on its way counts against the cap; what is charged is what the remote says."""
    tally = _tally(Event.INTENT)
    assert (tally.reserved, tally.charged) == (3, 0)
    tally.apply(_record(Event.ACCEPTED))
    assert (tally.reserved, tally.charged) == (3, 0)
    tally.apply(_record(Event.DONE))
    assert (tally.reserved, tally.charged, tally.faces) == (0, 2, 4)
    assert tally.open == {}
    assert repr(tally) == "<Tally 1 done; 2 credits charged, 0 reserved>"


@pytest.mark.parametrize("end", [Event.REFUSED, Event.ABSENT, Event.FAILED])
def test_credits_of_what_was_not_accepted_are_free_again(end: Event):
    """A refusal, an absence or a failure releases the reservation and charges nothing."""
    tally = _tally(Event.INTENT)
    tally.apply(_record(end))
    assert (tally.reserved, tally.charged, tally.open) == (0, 0, {})


def test_the_open_job_holds_what_a_resume_needs():
    """After the acceptance and the first bytes: process id, times, hash, attempts and ETag."""
    tally = _tally(Event.INTENT, Event.ACCEPTED, Event.DOWNLOADING)
    assert tally.open[0] == OpenJob(
        credits=3,
        attempts=1,
        process_id="p1",
        input_sha256="ab",
        accepted_at=11.0,
        unclear_at=10.0,
        eta=99.0,
        etag='"e"',
    )


def test_a_process_id_that_led_nowhere_is_forgotten():
    """After `unclear` a resume must look the job up by filename: the old process id would only mislead it."""
    tally = _tally(Event.INTENT, Event.ACCEPTED, Event.DOWNLOADING, Event.UNCLEAR)
    job = tally.open[0]
    assert (job.process_id, job.etag, job.unclear_at, job.credits) == ("", "", 12.0, 3)


def test_a_second_attempt_starts_afresh():
    """After a proven absence the next intent carries nothing over from the one before."""
    tally = _tally(Event.INTENT, Event.ACCEPTED, Event.UNCLEAR, Event.ABSENT)
    tally.apply(_record(Event.INTENT, at=20.0, attempt=2, credits=5))
    assert tally.open[0] == OpenJob(credits=5, attempts=2, input_sha256="ab", unclear_at=20.0)
    assert (tally.reserved, tally.unclear, tally.resubmitted) == (5, 1, 1)


def test_adopted_jobs_are_counted():
    """Only an acceptance from the listing counts as adopted."""
    tally = _tally(Event.INTENT, Event.UNCLEAR)
    tally.apply(_record(Event.ACCEPTED, adopted=True))
    tally.apply(_record(Event.INTENT, 1))
    tally.apply(_record(Event.ACCEPTED, 1))
    assert tally.adopted == 1


def test_reasons_are_counted_and_bounded():
    """A hundred thousand different reasons keep no hundred thousand texts; none is lost from the sum."""
    tally = Tally()
    for number in range(300):
        tally.apply(_record(Event.FAILED, number, reason=f"reason {number}"))
    for number in range(300, 310):
        tally.apply(_record(Event.FAILED, number, reason="reason 7"))
    assert len(tally.reasons) == 101
    assert tally.reasons.total() == 310
    assert tally.reasons["reason 7"] == 11
    assert tally.reasons["other reasons, see results.jsonl"] == 200


class TestRetried:
    """Failed jobs that are taken up again."""

    def test_sent_anew_it_has_a_filename_of_its_own(self):
        """The failure is no longer counted; what it cost stays charged; the generation is the event's."""
        tally = _tally(Event.INTENT)
        tally.apply(_record(Event.FAILED, credits=2))
        assert tally.apply(_record(Event.RETRIED)) is State.PLANNED
        assert (tally.reasons.total(), tally.charged, tally.reserved, tally.retried) == (0, 2, 0, 1)
        assert (tally.generation(0), tally.generation(1)) == (1, 0)

    def test_reclaimed_it_is_charged_once(self):
        """What was charged for the failure is reserved again, and charged when the result has come home."""
        tally = _tally(Event.INTENT, Event.ACCEPTED)
        tally.apply(_record(Event.FAILED, credits=2))
        assert tally.apply(_record(Event.RECLAIMED)) is State.ACCEPTED
        assert (tally.reserved, tally.charged, tally.generation(0)) == (2, 0, 0)
        assert (tally.open[0].process_id, tally.open[0].attempts) == ("p1", 3)
        tally.apply(_record(Event.DONE))
        assert (tally.reserved, tally.charged, tally.open) == (0, 2, {})

    def test_where_a_refused_picture_belongs_is_said_once(self):
        """Its place is kept when a later intent, or retry, does not say it again."""
        tally = _tally(Event.FAILED)
        tally.apply(_record(Event.RETRIED, output="a.jpg"))
        tally.apply(_record(Event.INTENT, generation=1))
        tally.apply(_record(Event.FAILED))
        tally.apply(_record(Event.RETRIED, generation=2))
        assert tally.again == {0: Again(2, "a.jpg")}

    def test_reasons_beyond_the_bound_are_taken_back_too(self):
        """However the failure was counted, its retry takes one away."""
        tally = Tally()
        for number in range(150):
            tally.apply(_record(Event.FAILED, number, reason=f"reason {number}"))
        for number in range(150):
            tally.apply(_record(Event.RETRIED, number, reason=f"reason {number}"))
        assert tally.reasons == {}


class TestDamaged:
    """A journal that is known to have lost lines."""

    def test_an_event_is_believed_whatever_came_before(self):
        """An acceptance proves an acceptance, though the intent before it is gone."""
        tally = Tally()
        assert tally.apply(_record(Event.ACCEPTED), is_damaged=True) is State.ACCEPTED
        assert tally.open[0].process_id == "p1"
        assert tally.damaged_steps == 1

    @pytest.mark.parametrize("end", [Event.DONE, Event.FAILED])
    @pytest.mark.parametrize("event", list(Event))
    def test_an_ended_job_stays_as_it_is(self, end: Event, event: Event):
        """Nothing that follows an end is believed, a retry apart: no job is sent or charged again."""
        tally = _tally(Event.INTENT, Event.ACCEPTED, end)
        if (tally.state(0), event) in TABLE:
            return
        before = _seen(tally)
        tally.apply(_record(event), is_damaged=True)
        assert _seen(tally) == {**before, "damaged_steps": 1}

    @pytest.mark.parametrize("way", [(), (Event.INTENT,), (Event.INTENT, Event.UNCLEAR)])
    def test_a_download_without_its_acceptance_is_looked_up(self, way: tuple[Event, ...]):
        """Without a process id nothing can be polled: the job is unknown, not accepted."""
        tally = _tally(*way)
        assert tally.apply(_record(Event.DOWNLOADING), is_damaged=True) is State.UNKNOWN
        assert tally.open[0].process_id == ""

    def test_an_intent_after_a_lost_absence_forgets_the_old_process(self):
        """A second intent proves that the first process was given up, though the lines between are gone."""
        tally = _tally(Event.INTENT, Event.ACCEPTED)
        assert tally.apply(_record(Event.INTENT, attempt=2), is_damaged=True) is State.INTENT
        assert (tally.open[0].process_id, tally.open[0].attempts, tally.reserved) == ("", 2, 3)

    def test_a_newer_generation_proves_a_lost_retry(self):
        """An intent of a generation that a failed job has not had yet is believed, with its new filename."""
        tally = _tally(Event.INTENT, Event.FAILED)
        assert tally.apply(_record(Event.INTENT, generation=1), is_damaged=True) is State.INTENT
        assert (tally.generation(0), tally.reasons.total()) == (1, 0)

    def test_a_retry_of_a_lost_failure_still_changes_the_filename(self):
        """Where the failure itself is lost, and all before it, the generation of its retry counts all the same."""
        tally = Tally()
        assert tally.apply(_record(Event.RETRIED), is_damaged=True) is State.PLANNED
        assert tally.generation(0) == 1

    def test_a_legal_step_counts_as_no_damage(self):
        """In a damaged journal, too, most lines fit."""
        tally = Tally()
        tally.apply(_record(Event.INTENT), is_damaged=True)
        assert tally.damaged_steps == 0


class TestTwoStages:
    """A chained job's money and place, whatever happens between its first intent and its end."""

    def test_the_price_of_both_is_reserved_at_once_and_charged_as_each_is_over(self):
        """At no moment is there less reserved and charged than the job will cost."""
        tally = _tally(Event.INTENT, Event.ACCEPTED)
        assert (tally.reserved, tally.charged) == (3, 0)
        for event, members in (
            (Event.STAGED, {}),
            (Event.INTENT, {"credits": 2, "stage": 2}),
            (Event.REFUSED, {}),
            (Event.INTENT, {"credits": 2, "stage": 2}),
            (Event.UNCLEAR, {}),
            (Event.ABSENT, {}),
            (Event.INTENT, {"credits": 2, "stage": 2}),
            (Event.ACCEPTED, {"process_id": "p2"}),
        ):
            tally.apply(_record(event, **members))
            assert (tally.reserved, tally.charged) == (2, 1), event
            assert tally.open[0].staged.process_id == "p0"
        tally.apply(_record(Event.DONE, credits=3))
        assert (tally.reserved, tally.charged, tally.open) == (0, 3, {})

    def test_between_the_stages_nothing_is_in_flight_and_the_job_is_open(self):
        """It is planned again, without a process id, and known."""
        tally = _tally(Event.INTENT, Event.ACCEPTED, Event.STAGED)
        assert tally.state(0) is State.PLANNED
        assert (tally.open[0].process_id, tally.open[0].staged.process_id) == ("", "p0")

    def test_a_failure_on_the_second_keeps_the_charge_of_the_first(self):
        """And a retry that begins from the first one's result charges for it once."""
        tally = _tally(Event.INTENT, Event.ACCEPTED, Event.STAGED)
        tally.apply(_record(Event.FAILED, credits=1))
        assert (tally.reserved, tally.charged, tally.open) == (0, 1, {})
        tally.apply(_record(Event.RECLAIMED, credits=3, charged=1, generation=1))
        assert (tally.reserved, tally.charged, tally.generation(0)) == (3, 0, 1)
        tally.apply(_record(Event.STAGED))
        assert (tally.reserved, tally.charged) == (2, 1)

    def test_a_second_stage_that_is_reclaimed_charges_for_both_once(self):
        """What the first one cost is charged all the while, what the second did when it is done."""
        tally = _tally(Event.INTENT, Event.ACCEPTED, Event.STAGED)
        tally.apply(_record(Event.FAILED, credits=3))
        staged = {"process_id": "p0", "credits": 1}
        tally.apply(_record(Event.RECLAIMED, credits=2, charged=3, staged=staged))
        assert (tally.reserved, tally.charged, tally.open[0].staged.credits) == (2, 1, 1)
        tally.apply(_record(Event.DONE, credits=3))
        assert (tally.reserved, tally.charged) == (0, 3)

    @pytest.mark.parametrize(
        "lost", [(Event.STAGED,), (Event.INTENT,), (Event.ACCEPTED,), (Event.STAGED, Event.ACCEPTED)]
    )
    def test_a_journal_that_lost_lines_knows_the_stage_still(self, lost: tuple[Event, ...]):
        """By the line that ended the first one, or by the intent of the second."""
        tally = Tally()
        second = {"credits": 2, "stage": 2}
        for event, members in ((Event.INTENT, {}), (Event.ACCEPTED, {}), (Event.STAGED, {}), (Event.INTENT, second)):
            if event not in lost:
                tally.apply(_record(event, **members), is_damaged=True)
        assert tally.open[0].staged is not None
        assert tally.open[0].process_id == ""

    def test_a_line_that_ends_the_first_stage_counts_once(self):
        """However often a damaged journal says it."""
        tally = _tally(Event.INTENT, Event.ACCEPTED, Event.STAGED)
        tally.apply(_record(Event.STAGED), is_damaged=True)
        assert (tally.reserved, tally.charged, tally.planned) == (2, 1, 1)
