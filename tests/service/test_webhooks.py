"""Every status reaches its receiver at least once, in order, through failures, restarts and crashes."""

import asyncio
import contextlib
import itertools
import logging
from ipaddress import ip_network

import orjson
import pytest
from aiohttp import web

from engine.clock import SystemClock
from engine.errors import MachineError
from engine.journal.line import decode
from engine.journal.writer import JournalWriter
from engine.service.job_state import Status
from engine.service.notification import SIGNATURE, notification_of
from engine.service.outbox import OUTBOX_NAME, Outbox, open_outbox
from engine.service.outside import Outside
from engine.service.refusal import Refusal
from engine.service.webhooks import Verdict, Webhooks, verdict_of
from tests.fakes.clock import FakeClock
from tests.service.webhook_jobs import (
    API_KEY,
    REFUSED,
    UNREACHED,
    ScriptedPoster,
    documented_check,
    job_of,
    links_of,
    secret_of,
    sending,
    turn,
)

_DAY_S = 24 * 3600.0
LIFE = (Status.PENDING, Status.PROCESSING, Status.COMPLETED)


@pytest.fixture
def clock():
    return FakeClock()


def _live(webhooks, job, statuses=LIFE):
    for status in statuses:
        if status is not Status.PENDING:
            turn(job, status)
        webhooks.changed(job)


def test_what_an_answer_means():
    """2xx is delivered, 5xx and 429 are tried again, all else is final."""
    verdicts = {status: verdict_of(status) for status in (200, 204, 299, 101, 301, 307, 400, 404, 410, 429, 500, 599)}
    assert [status for status, verdict in verdicts.items() if verdict is Verdict.DELIVERED] == [200, 204, 299]
    assert [status for status, verdict in verdicts.items() if verdict is Verdict.RETRY] == [429, 500, 599]


async def test_each_status_is_told_in_order(tmp_path, clock):
    """One POST for each change, with ids that sort, a signature, and links when there is something to load."""
    job, poster = job_of(), ScriptedPoster(clock)
    async with sending(tmp_path, poster, clock, [job]) as webhooks:
        _live(webhooks, job, LIFE[1:])
        await clock.sleep(1.0)
        assert repr(webhooks) == "<Webhooks: 0 pending, 3 delivered, 0 discarded, 0 retries>"
    assert poster.told() == list(LIFE)
    assert poster.told("notification_id") == sorted(set(poster.told("notification_id")))
    assert ["download_url" in said for _, _, said, _, _ in poster.posts] == [False, False, True]
    for _, url, _, headers, body in poster.posts:
        assert url == job.submission.webhook_url
        assert headers["Content-Type"] == "application/json"
        assert documented_check()(body, headers[SIGNATURE], API_KEY, clock.now())


async def test_a_job_without_a_receiver_is_told_nobody(tmp_path, clock):
    """No address, no notification."""
    job, poster = job_of(url=""), ScriptedPoster(clock)
    async with sending(tmp_path, poster, clock, [job]) as webhooks:
        _live(webhooks, job)
        await clock.sleep(1.0)
        assert (poster.posts, webhooks.pending) == ([], 0)


@pytest.mark.parametrize("failure", [500, 503, 429, UNREACHED])
async def test_a_failing_receiver_is_tried_as_the_contract_says(tmp_path, clock, failure, caplog):
    """After 5 s, 10 s, 20 s ... 15 minutes, the same notification each time, until it takes it."""
    job, poster = job_of(), ScriptedPoster(clock, *[failure] * 12, 200)
    caplog.set_level(logging.DEBUG)
    async with sending(tmp_path, poster, clock, [job]) as webhooks:
        await clock.sleep(_DAY_S)
        assert (webhooks.delivered, webhooks.retries, webhooks.pending) == (1, 12, 0)
    waits = [round(after - before, 6) for before, after in itertools.pairwise(poster.times())]
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900, 900]
    assert len(set(poster.told("notification_id"))) == 1
    assert len({headers[SIGNATURE] for _, _, _, headers, _ in poster.posts}) == 13
    assert "'Pending' of job one waits" in caplog.text
    assert not any(told in caplog.text for told in ("secret", "receiver", "https:"))


@pytest.mark.parametrize("answer", [400, 401, 404, 410, 301, 307, REFUSED])
async def test_a_final_answer_discards_one_notification(tmp_path, clock, answer, caplog):
    """It is never sent again, the next status is, and the log says of the receiver what it did and not where it is."""
    job, poster = job_of(), ScriptedPoster(clock, answer, 200)
    with caplog.at_level(logging.DEBUG):
        async with sending(tmp_path, poster, clock, [job]) as webhooks:
            _live(webhooks, job, [Status.PENDING, Status.PROCESSING])
            await clock.sleep(_DAY_S)
            assert (webhooks.discarded, webhooks.delivered, webhooks.retries) == (1, 1, 0)
    assert poster.told() == ["Pending", "Processing"]
    said = "an address that this service may not call" if answer is REFUSED else f"answered {answer}"
    assert f"webhook: 'Pending' of job one is not told: {said}" in caplog.text
    assert not any(told in caplog.text for told in ("secret", "receiver", "https:"))
    async with sending(tmp_path, poster, clock, [job]):
        await clock.sleep(_DAY_S)
    assert len(poster.posts) == 2


async def test_an_outage_of_a_receiver_loses_no_status_and_no_order(tmp_path, clock):
    """What happened meanwhile comes after it, one by one."""
    job, poster = job_of(), ScriptedPoster(clock, 503, 503, 503, 200, UNREACHED, 200)
    async with sending(tmp_path, poster, clock, [job]) as webhooks:
        _live(webhooks, job)
        await clock.sleep(_DAY_S)
    assert poster.told() == ["Pending"] * 4 + ["Processing"] * 2 + ["Completed"]


async def test_a_restart_in_the_middle_of_the_retries_goes_on(tmp_path, clock):
    """The newest status is told by the next run under the same id, and by no run after that."""
    job, failing, poster = job_of(), ScriptedPoster(clock, 503), ScriptedPoster(clock)
    async with sending(tmp_path, failing, clock, [job]) as webhooks:
        _live(webhooks, job)
        await clock.sleep(12.0)
    for _ in range(3):
        async with sending(tmp_path, poster, clock, [job]):
            await clock.sleep(_DAY_S)
    assert failing.told() == ["Pending"] * 2
    assert poster.told() == ["Completed"]
    assert poster.told("notification_id") == [notification_of(job).id]


async def test_an_attempt_that_is_cut_off_is_made_again(tmp_path, clock):
    """What was under way when the service stopped is not settled."""

    class Silent(ScriptedPoster):
        async def post(self, url, body, headers, *, owner):
            await super().post(url, body, headers, owner=owner)
            await asyncio.Event().wait()

    job, silent, poster = job_of(), Silent(clock), ScriptedPoster(clock)
    async with sending(tmp_path, silent, clock, [job]):
        await clock.sleep(60.0)
    async with sending(tmp_path, poster, clock, [job]):
        await clock.sleep(60.0)
    assert silent.told("notification_id") == poster.told("notification_id")


async def test_a_forgotten_job_is_not_told_of(tmp_path, clock):
    """Its notifications end with it, also those that wait for a retry."""
    job, poster, known = job_of(), ScriptedPoster(clock, 503), {}
    known[job.id] = job
    async with open_outbox(tmp_path, known.__contains__) as outbox:
        webhooks = Webhooks(poster, outbox, clock, find=known.get, links=links_of, secret_of=secret_of)
        _live(webhooks, job)
        task = asyncio.create_task(webhooks.run())
        await clock.sleep(6.0)
        known.clear()
        await clock.sleep(_DAY_S)
        task.cancel()
        await asyncio.wait([task])
    assert (len(poster.posts), webhooks.pending, webhooks.discarded) == (2, 0, 3)


async def test_a_receiver_that_hangs_delays_nobody_else(tmp_path, clock):
    """At most four wait for it, and everybody else's notifications go out."""

    class Hanging(ScriptedPoster):
        async def post(self, url, body, headers, *, owner):
            status = await super().post(url, body, headers, owner=owner)
            if "slow" in url:
                await asyncio.Event().wait()
            return status

    slow = [job_of(f"slow {number}", url="https://slow.example/") for number in range(50)]
    quick = [job_of(f"quick {number}", url="https://quick.example/") for number in range(50)]
    poster = Hanging(clock)
    async with sending(tmp_path, poster, clock, [*slow, *quick]) as webhooks:
        await clock.sleep(1.0)
        assert (webhooks.delivered, webhooks.pending) == (50, 50)
    assert sum("slow" in url for _, url, *_ in poster.posts) == 4


async def test_a_tarpit_under_many_names_delays_no_other_key(tmp_path, clock):
    """A hundred hosts of one key that never answer: another key's notifications go out at once."""

    class Hanging(ScriptedPoster):
        async def post(self, url, body, headers, *, owner):
            status = await super().post(url, body, headers, owner=owner)
            if "tarpit" in url:
                await asyncio.Event().wait()
            return status

    hostile = [job_of(f"h {number}", url=f"https://h{number}.tarpit.example/") for number in range(100)]
    victims = [job_of(f"v {number}", owner="k2") for number in range(20)]
    poster = Hanging(clock)
    async with sending(tmp_path, poster, clock, [*hostile, *victims]) as webhooks:
        await clock.sleep(1.0)
        assert (webhooks.delivered, webhooks.pending) == (20, 100)
    assert (poster.owners.count("k1"), poster.owners.count("k2")) == (8, 20)


async def test_nothing_is_told_once_the_key_is_revoked(tmp_path, clock):
    """What waits for a retry then, and what comes later, is discarded and not sent without a signature."""
    job, poster, secrets = job_of(), ScriptedPoster(clock, 503), {"k1": secret_of("k1")}
    async with sending(tmp_path, poster, clock, [job], find_secret=secrets.get) as webhooks:
        await clock.sleep(1.0)
        secrets.clear()
        _live(webhooks, job, LIFE[1:])
        await clock.sleep(_DAY_S)
        assert repr(webhooks) == "<Webhooks: 0 pending, 0 delivered, 3 discarded, 1 retries>"
    assert [SIGNATURE in headers for _, _, _, headers, _ in poster.posts] == [True]


async def test_a_key_that_is_revoked_while_a_notification_is_made(tmp_path, clock):
    """Links that can't be signed any more end what is to be told of the job, not the sender."""

    def links(job):
        if job.id == "one":
            raise Refusal(404, "no job has this id; it may have been deleted or be older than a week")
        return links_of(job)

    poster = ScriptedPoster(clock)
    async with sending(tmp_path, poster, clock, [job_of("one"), job_of("two")], links=links) as webhooks:
        await clock.sleep(1.0)
        assert (webhooks.discarded, webhooks.delivered) == (1, 1)
    assert poster.told("process_id") == ["two"]


async def test_a_full_disk_ends_the_sender_with_one_line(clock):
    """An outbox that takes no more is a MachineError of `run`, not a silent repeat after every restart."""

    class Full:
        def append(self, data):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    jobs = {job.id: job for job in (job_of("one"), job_of("two", url="https://other.example/"))}
    async with JournalWriter(Full(), name="the outbox") as journal:
        webhooks = Webhooks(
            ScriptedPoster(clock), Outbox(journal, {}), clock, find=jobs.get, links=links_of, secret_of=secret_of
        )
        webhooks.changed(jobs["one"])
        task = asyncio.create_task(webhooks.run())
        await clock.sleep(1.0)
        webhooks.changed(jobs["two"])
        with pytest.raises(MachineError, match=r"the outbox can't be written \(No space left"):
            await task


async def test_the_outbox_cut_anywhere_loses_nothing(tmp_path, clock):
    """Power may fail at any byte: whoever's line is whole is not told again, everybody else is, and nobody is lost."""
    jobs = [job_of(f"job {number}") for number in range(4)]
    path = tmp_path / OUTBOX_NAME
    async with sending(tmp_path, ScriptedPoster(clock), clock, jobs):
        await clock.sleep(1.0)
    whole = path.read_bytes()
    assert len(whole.splitlines()) == 4
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        settled = {decode(line)["id"] for line in whole[:cut].splitlines(keepends=True) if line.endswith(b"\n")}
        poster = ScriptedPoster(clock)
        async with sending(tmp_path, poster, clock, jobs):
            await clock.sleep(1.0)
        assert set(poster.told("process_id")) == {job.id for job in jobs} - settled
        assert sorted(path.read_bytes().splitlines()) == sorted(whole.splitlines())


async def test_a_damaged_outbox_repeats_and_goes_on(tmp_path, clock):
    """A flipped bit costs one repeat; lines that say nothing cost nothing."""
    jobs = [job_of(f"job {number}") for number in range(3)]
    path = tmp_path / OUTBOX_NAME
    async with sending(tmp_path, ScriptedPoster(clock), clock, jobs):
        await clock.sleep(1.0)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], lines[1].replace(b"settled", b"settlex"), b"noise\n", lines[2]]))
    poster = ScriptedPoster(clock)
    async with sending(tmp_path, poster, clock, jobs):
        await clock.sleep(1.0)
    assert poster.told("process_id") == ["job 1"]


async def test_the_outbox_forgets_with_the_service(tmp_path, clock):
    """Opening it keeps one line for each job that is known, and an outbox that can't be read is one clear line."""
    job, other = job_of("one"), job_of("two")
    async with sending(tmp_path, ScriptedPoster(clock), clock, [job, other]) as webhooks:
        _live(webhooks, job)
        await clock.sleep(1.0)
    assert len((tmp_path / OUTBOX_NAME).read_bytes().splitlines()) == 4
    async with sending(tmp_path, ScriptedPoster(clock), clock, [job]):
        pass
    (line,) = (tmp_path / OUTBOX_NAME).read_bytes().splitlines()
    assert decode(line)["notification"] == notification_of(job).id
    (tmp_path / OUTBOX_NAME).unlink()
    (tmp_path / OUTBOX_NAME).mkdir()
    with pytest.raises(MachineError, match="can't be used"):
        async with open_outbox(tmp_path, bool):
            pass


@contextlib.asynccontextmanager
async def _receiver(answers):
    """A real receiver that checks signatures; yields its URL and what it got, and an event for the last answer."""
    got, is_done = [], asyncio.Event()

    async def hook(request):
        body = await request.read()
        assert documented_check()(body, request.headers[SIGNATURE], API_KEY, SystemClock().now())
        assert "X-API-Key" not in request.headers
        got.append(orjson.loads(body))
        status = answers.pop(0)
        if not answers:
            is_done.set()
        return web.Response(status=status)

    app = web.Application()
    app.add_routes([web.post("/hook", hook)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook?token=secret", got, is_done
    finally:
        await runner.cleanup()


async def test_a_real_receiver_hears_the_life_of_a_job(tmp_path):
    """Through the real way out, over a real socket, signed, in order, with a retry in between."""

    class Quick(SystemClock):
        async def sleep(self, seconds):
            await asyncio.sleep(0.001 * seconds)

        def monotonic(self):
            return 1000 * super().monotonic()

    async with _receiver([200, 503, 200, 200]) as (url, got, is_done):
        job = job_of(url=url)
        async with (
            Outside((ip_network("127.0.0.0/8"),), time_limit_s=30) as outside,
            sending(tmp_path, outside, Quick(), [job]) as webhooks,
        ):
            _live(webhooks, job, LIFE[1:])
            await is_done.wait()
    assert [said["status"] for said in got] == ["Pending", "Processing", "Processing", "Completed"]
    assert got[1] == got[2]


async def test_a_receiver_that_must_not_be_called_is_given_up(tmp_path, clock):
    """Without an allowed network a receiver on this machine hears nothing, and no retry is made."""
    async with (
        _receiver([200]) as (url, got, _),
        Outside((), time_limit_s=30) as outside,
        sending(tmp_path, outside, clock, [job_of(url=url)]) as webhooks,
    ):
        await clock.sleep(60.0)
        assert (webhooks.discarded, webhooks.retries, got) == (1, 0, [])
