"""What a webhook says, how its ids sort, and how a receiver knows who sent it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.service.job_state import Status
from engine.service.job_store import open_store
from engine.service.notification import SIGNATURE, headers_of, notification_of
from engine.service.ulid import ulid
from tests.fakes.clock import FakeClock
from tests.service.webhook_jobs import API_KEY, DOCS, documented_check, job_of, links_of, secret_of, turn


def test_a_ulid_is_written_as_the_specification_says():
    """26 characters, 48 bits of time first, nothing outside the range."""
    assert ulid(0, 0) == "0" * 26
    assert ulid((1 << 48) - 1, (1 << 80) - 1) == "7" + "Z" * 25
    assert ulid(1469918176385, 0)[:10] == "01ARYZ6S41"  # the specification's own example
    for wrong in ((-1, 0), (1 << 48, 0), (0, 1 << 80), (0, -1)):
        with pytest.raises(ValueError, match="48 bits"):
            ulid(*wrong)


@given(st.tuples(st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 80) - 1)), st.data())
def test_ulids_sort_like_what_they_are_made_of(first, data):
    """As text they compare like (time, rest)."""
    second = data.draw(st.tuples(st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 80) - 1)))
    assert (ulid(*first) < ulid(*second)) == (first < second)


def test_an_id_is_stable_and_sorts_by_the_life_of_its_job():
    """The same status has the same id in every process; the next one sorts behind it, even in the same microsecond."""
    for after_s in (0.0, 1e-6, 1e-3, 5.0):
        job, again, ids = job_of(), job_of(), []
        for status in (Status.PENDING, Status.PROCESSING, Status.COMPLETED):
            for each in (job, again):
                turn(each, status, after_s=after_s)
            assert notification_of(job) == notification_of(again)
            ids.append(notification_of(job).id)
        assert ids == sorted(set(ids))
    assert notification_of(job_of("two")).id != notification_of(job_of("one")).id


async def test_ids_sort_as_sent_although_the_clock_goes_back(tmp_path):
    """Each status of a job sorts behind the one before, though the clock was set back by years, and after a restart."""
    clock, ids = FakeClock(is_manual=True), []
    async with open_store(tmp_path, clock) as store:
        store.subscribe(lambda job: ids.append(notification_of(job).id))
        job = await store.accept(job_of(at=clock.now()).submission)
        clock.jump(-2.0)
        store.start(job, clock.now())
        store.requeue(job)
        clock.jump(-1e8)
        store.start(job, clock.now())
    async with open_store(tmp_path, clock) as store:
        job = store.get(job.id)
        ids.append(notification_of(job).id)
        store.subscribe(lambda job: ids.append(notification_of(job).id))
        store.start(job, clock.now())
        await store.fail(job, "no face")
    assert len(ids) == 7
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("at", [-5.0, 0.0, 1e18])
def test_a_clock_that_is_wrong_breaks_no_id(at):
    """Times that no ULID can hold are brought to its range."""
    assert len(notification_of(job_of(at=at)).id) == 26


def test_a_body_has_the_members_of_the_contract():
    """Links to the output only with the status that it comes with, although the job has gone on since."""
    job = job_of()
    pending = notification_of(job)
    turn(job, Status.COMPLETED)
    assert json.loads(pending.body(links_of(job))) == {
        "notification_id": pending.id,
        "process_id": "one",
        "status": "Pending",
        "creation_time": 1_760_000_000.0,
        "modification_time": 1_760_000_000.0,
        "progress": 0,
        "input_download_url": "https://service.example/input_download_url/one",
        "input_head_url": "https://service.example/input_head_url/one",
    }
    completed = json.loads(notification_of(job).body(links_of(job)))
    assert completed["progress"] == 100
    assert {"download_url", "head_url", "input_download_url", "input_head_url"} <= set(completed)


def test_a_notification_does_not_show_its_url():
    """A receiver's token is in no repr, and a URL that can't be read has no host."""
    assert "secret" not in repr(notification_of(job_of()))
    assert (notification_of(job_of()).host, notification_of(job_of(url="not a url")).host) == ("receiver.example", "")


def test_the_documented_check_accepts_what_is_genuine_and_nothing_else():
    """The example in docs/webhooks.md proves our signature, and refuses any other body, key or time."""
    is_genuine, body, now = documented_check(), b'{"a":1}', 1_760_000_000.9
    signature = headers_of(body, now, secret_of("k1"))[SIGNATURE]
    assert re.fullmatch(r"t=1760000000,v1=[0-9a-f]{64}", signature)
    assert is_genuine(body, signature, API_KEY, now + 60)
    assert not is_genuine(body, signature, API_KEY, now + 3600)
    assert not is_genuine(body + b" ", signature, API_KEY, now)
    assert not is_genuine(body, signature, "another key", now)
    assert not is_genuine(body, signature.replace("t=1760000000", "t=1760000001"), API_KEY, now)


def test_the_api_key_is_in_no_header():
    """Nor is what it is checked by."""
    told = str(headers_of(b"{}", 0.0, secret_of("k1")))
    assert API_KEY not in told
    assert secret_of("k1").hex() not in told


def test_the_documented_body_is_what_is_sent():
    """The example in docs/webhooks.md has exactly the members of a completed job's notification."""
    (example,) = re.findall(r"```json\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    job = job_of()
    turn(job, Status.COMPLETED)
    assert list(json.loads(example)) == list(json.loads(notification_of(job).body(links_of(job))))
