"""Several keys and addresses as one remote, over scripted transports and a clock that needs no waiting."""

import asyncio
from collections.abc import Callable

import pytest

from engine.errors import UsageError
from engine.policy.backoff import Backoff
from engine.remote.account import Balance
from engine.remote.connect import connect
from engine.remote.endpoint import Endpoint
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.member_id import member_id, qualified, unqualified
from engine.remote.multipart import Upload
from engine.remote.pool import Pool
from engine.remote.prices import Question, Quote
from engine.remote.transport import ConnectError, TransportError
from tests.fakes.clock import FakeClock
from tests.fakes.transport import Answer, Request, ScriptedTransport

UPLOAD = Upload.of_fields({"source_id": "s"}, "run-000001.png")
QUESTION = Question(category="Restore", model="Faces", input_width=1, input_height=1)
NAMES = ("one", "two", "three")
IDS = {name: member_id(f"https://{name}.test/image/v1", f"key-{name}") for name in NAMES}
QUESTION = Question(category="Restore", model="Faces", input_width=64, input_height=48)
REDIRECT = Answer(307, headers={"Location": "https://evil.test/"})


class Hosts:
    """A transport whose hosts answer as they are told: by a function of the request, or always the same."""

    def __init__(self, **answers: object) -> None:
        self.answers = {f"{name}.test": answer for name, answer in answers.items()}
        self.scripted = ScriptedTransport(otherwise=self._answer)

    def _answer(self, request: Request) -> Answer | TransportError:
        answer = self.answers[request.url.split("/")[2]]
        return answer(request) if callable(answer) else answer

    def asked(self, name: str) -> list[Request]:
        return [request for request in self.scripted.requests if request.url.split("/")[2] == f"{name}.test"]


def _pool(hosts: Hosts, clock: FakeClock | None = None, tell: Callable[[str, str], None] = lambda *_said: None) -> Pool:
    names = [host.removesuffix(".test") for host in hosts.answers if host != "files.test"]
    members = [(f"https://{name}.test/image/v1", f"key-{name}") for name in names]
    endpoint = Endpoint(name="pool", base_url=members[0][0], key=members[0][1], others=tuple(members[1:]))
    backoff = Backoff(first_s=1.0, max_s=60.0)
    pool = connect(endpoint, hosts.scripted, clock or FakeClock(), backoff, lambda: 1.0, tell)
    assert isinstance(pool, Pool)
    return pool


def _page(*rows: dict, cursor: str | None = None) -> Answer:
    return Answer(json={"data": list(rows), "pagination": {"has_next_page": cursor is not None, "next_cursor": cursor}})


def _row(process_id: str, status: str = "Processing", filename: str = "f.png") -> dict:
    return {"process_id": process_id, "status": status, "filename": filename}


async def _fails(asked) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await asked
    return caught.value


def test_a_members_name_follows_from_address_and_key_alone():
    """Whatever the order, the process, or a slash at the end."""
    spellings = ("https://h/v1", "https://h/v1/", "https://H:443/v1//", "https://h:443/v1")
    assert len({member_id(spelling, "k") for spelling in spellings}) == 1
    assert member_id("http://h:443/v1", "k") != member_id("http://h/v1", "k") == member_id("http://h:80/v1", "k")
    assert len({member_id("https://h/v1", "k"), member_id("https://g/v1", "k"), member_id("https://h/v1", "l")}) == 3
    assert unqualified(qualified("0a1b2c", "x:y/z")) == ("0a1b2c", "x:y/z")
    assert unqualified("6f1c2f0e-6f5e-4d0f") == ("", "6f1c2f0e-6f5e-4d0f")


def test_one_member_is_no_pool_and_two_alike_are_a_mistake():
    """A pool costs nothing where there is none."""
    one = ("https://one.test/image/v1", "k")
    alone = Endpoint(name="x", base_url=one[0], key=one[1])
    backoff = Backoff()
    assert not isinstance(connect(alone, ScriptedTransport(), FakeClock(), backoff, lambda: 1.0), Pool)
    twice = Endpoint(name="x", base_url=one[0], key=one[1], others=(one,))
    with pytest.raises(UsageError, match="same address and key"):
        connect(twice, ScriptedTransport(), FakeClock(), backoff, lambda: 1.0)


def test_no_repr_shows_a_key():
    assert "key-" not in repr(_pool(Hosts(one=Answer(), two=Answer())))


class TestKeys:
    """Each key goes to its own address, and nowhere else."""

    async def test_to_the_host_of_its_member_only(self):
        hosts = Hosts(one=Answer(json=_row("p")), two=Answer(json=_row("p")), files=Answer(body=b"pixels"))
        pool = _pool(hosts)
        for name in ("one", "two"):
            await pool.status(qualified(IDS[name], "p"))
        async with pool.file("https://files.test/x?sig=1", {}) as answer:
            assert await answer.read() == b"pixels"
        assert [request.headers["X-API-Key"] for request in hosts.asked("one")] == ["key-one"]
        assert [request.headers["X-API-Key"] for request in hosts.asked("two")] == ["key-two"]
        assert "X-API-Key" not in hosts.asked("files")[0].headers

    async def test_never_across_a_redirect(self):
        """One that redirects is not the API."""
        hosts = Hosts(one=REDIRECT, two=_page())
        pool = _pool(hosts)
        await pool.hello()
        assert [request.url.split("/")[2] for request in hosts.scripted.requests] == ["one.test", "two.test"]
        assert pool.members[IDS["one"]].why_closed


class TestJobs:
    """Each at the member that accepted it."""

    async def test_ids_lead_home(self):
        hosts = Hosts(one=Answer(json={"process_id": "p:1"}), two=Answer(500))
        pool = _pool(hosts)
        accepted = await pool.submit(UPLOAD)
        assert accepted.process_id == f"{IDS['one']}:p:1"
        hosts.answers["one.test"] = Answer(json=_row("p:1"))
        assert (await pool.status(accepted.process_id)).process_id == accepted.process_id
        hosts.answers["one.test"] = Answer(json={"download_url": "https://files.test/x"})
        await pool.link(accepted.process_id)
        await pool.input_link(accepted.process_id)
        hosts.answers["one.test"] = Answer(204)
        await pool.forget(accepted.process_id)
        await pool.cancel(accepted.process_id)
        assert [request.url.partition("/v1")[2] for request in hosts.asked("one")] == [
            "/restore-gen/async",
            "/status/p%3A1",
            "/download/p%3A1",
            "/download/input/p%3A1",
            "/status/p%3A1",
            "/cancel/p%3A1",
        ]
        assert hosts.asked("two") == []
        assert (pool.requests[Call.SUBMIT], sum(pool.requests.values())) == (1, 6)

    @pytest.mark.parametrize("process_id", ["p", "ffffff:p", ""])
    async def test_a_job_of_no_member_is_gone(self, process_id):
        """It is looked up by its filename then."""
        pool = _pool(Hosts(one=Answer(500), two=Answer(500)))
        assert pool.is_stranger(process_id)
        assert (await _fails(pool.status(process_id))).kind is Kind.GONE


class TestListing:
    """Those of all members, one behind the other."""

    async def test_pages_follow_each_other_across_members(self):
        def one(request: Request) -> Answer:
            return _page(_row("a2")) if "cursor" in request.url else _page(_row("a1"), cursor="c:2")

        pool = _pool(Hosts(one=one, two=_page(), three=_page(_row("c1"))))
        cursor, ids = None, []
        for _page_read in range(4):
            page = await pool.listing(cursor)
            ids += [row.process_id for row in page.rows()]
            cursor = page.next_cursor
        assert cursor is None
        assert ids == [f"{IDS['one']}:a1", f"{IDS['one']}:a2", f"{IDS['three']}:c1"]
        assert [row.process_id async for row in pool.rows()] == ids

    async def test_half_a_pools_rows_are_never_all_of_them(self):
        """A member that can't be read is an error, not an absence; the others come first."""
        pool = _pool(Hosts(one=ConnectError("refused"), two=_page(_row("b"))))
        await _fails(pool.status(qualified(IDS["one"], "p")))  # it rests from now on
        seen = []
        with pytest.raises(RemoteError) as caught:  # noqa: PT012 -- what came before the error counts
            async for row in pool.rows():
                seen.append(row.process_id)  # noqa: PERF401 -- what came before the error counts
        assert seen == [f"{IDS['two']}:b"]
        assert caught.value.kind is Kind.UNREACHABLE
        assert (await pool.listing()).next_cursor is None  # looks leave out what rests

    async def test_pages_in_a_circle_are_an_error(self):
        pool = _pool(Hosts(one=_page(cursor="c"), two=_page()))
        with pytest.raises(RemoteError, match="circle"):
            [row async for row in pool.rows()]

    async def test_a_cursor_of_no_member_leads_nowhere(self):
        pool = _pool(Hosts(one=_page(), two=_page()))
        error = await _fails(pool.listing("ffffff:c"))
        assert (error.kind, error.status) == (Kind.TRANSIENT, 404)

    async def test_a_row_without_an_id_is_an_error_for_whoever_reads_it(self):
        """As with one client: it might be this run's."""
        pool = _pool(Hosts(one=_page({"filename": "f.png"}), two=_page()))
        page = await pool.listing()
        with pytest.raises(RemoteError):
            list(page.rows())


class TestTrouble:
    """One member's is not the others'."""

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refused_key_closes_its_member_alone(self, status):
        """Said once; nothing goes there any more."""
        told: list[tuple[str, str]] = []
        hosts = Hosts(one=Answer(status), two=_page())
        pool = _pool(hosts, tell=lambda *said: told.append(said))
        await pool.hello()
        for _again in range(3):
            error = await _fails(pool.status(qualified(IDS["one"], "p")))
            assert (error.kind, error.elsewhere_helps) == (Kind.KEY_REFUSED, True)
        assert len(hosts.asked("one")) == 1
        assert [topic for topic, _line in told] == [f"member {IDS['one']}"]
        assert "one.test" in told[0][1]
        assert "key-one" not in told[0][1]
        hosts.answers["two.test"] = Answer(json={"process_id": "p"})
        assert (await pool.submit(UPLOAD)).process_id == f"{IDS['two']}:p"

    async def test_without_any_key_that_is_taken_there_is_no_pool(self):
        pool = _pool(Hosts(one=Answer(401), two=Answer(403)))
        error = await _fails(pool.hello())
        assert error.kind is Kind.KEY_REFUSED
        assert not (await _fails(pool.submit(UPLOAD))).elsewhere_helps

    async def test_a_member_out_of_credits_is_asked_still_and_sent_nothing(self):
        hosts = Hosts(one=Answer(402), two=Answer(402))
        pool = _pool(hosts)
        first, second = await _fails(pool.submit(UPLOAD)), await _fails(pool.submit(UPLOAD))
        assert (first.kind, first.elsewhere_helps) == (Kind.NO_CREDITS, True)
        assert (second.kind, second.elsewhere_helps) == (Kind.NO_CREDITS, False)
        assert (await _fails(pool.submit(UPLOAD))).kind is Kind.NO_CREDITS
        assert (len(hosts.asked("one")), len(hosts.asked("two"))) == (1, 1)
        hosts.answers["one.test"] = Answer(json=_row("p"))
        assert (await pool.status(qualified(IDS["one"], "p"))).is_going_on

    async def test_a_member_that_is_gone_rests_longer_and_longer_and_is_probed(self):
        """Submits go to the others at once; reads of its jobs are told to wait, without asking it."""
        clock = FakeClock()
        await clock.sleep(0)
        hosts = Hosts(one=ConnectError("refused"), two=Answer(json={"process_id": "p"}))
        pool = _pool(hosts, clock)
        probes = []
        for second in range(64):
            before = len(hosts.asked("one"))
            error = await _fails(pool.status(qualified(IDS["one"], "p")))
            assert (error.kind, error.elsewhere_helps) == (Kind.UNREACHABLE, True)
            if len(hosts.asked("one")) > before:
                probes.append(second)
            await clock.sleep(1.0)
        assert probes == [0, 1, 3, 7, 15, 31, 63]
        assert {(await pool.submit(UPLOAD)).process_id for _each in range(9)} == {f"{IDS['two']}:p"}
        hosts.answers["one.test"] = Answer(json=_row("p"))
        await clock.sleep(100.0)
        await pool.status(qualified(IDS["one"], "p"))
        assert pool.members[IDS["one"]].rest.is_awake

    async def test_one_server_error_is_no_reason_to_rest(self):
        answers = iter([Answer(500), Answer(json=_row("p")), Answer(500), Answer(500)])
        pool = _pool(Hosts(one=lambda _request: next(answers), two=Answer(500)))
        job = qualified(IDS["one"], "p")
        await _fails(pool.status(job))
        await pool.status(job)
        await _fails(pool.status(job))
        assert pool.members[IDS["one"]].rest.is_awake
        await _fails(pool.status(job))
        assert not pool.members[IDS["one"]].rest.is_awake

    async def test_while_all_rest_a_submit_waits_for_the_first_to_wake(self):
        """And it is everybody's trouble then."""
        clock = FakeClock()
        await clock.sleep(0)
        hosts = Hosts(one=ConnectError("refused"), two=ConnectError("refused"))
        pool = _pool(hosts, clock)
        assert (await _fails(pool.submit(UPLOAD))).elsewhere_helps
        assert not (await _fails(pool.submit(UPLOAD))).elsewhere_helps
        hosts.answers["one.test"] = Answer(json={"process_id": "p"})
        assert (await pool.submit(UPLOAD)).process_id == f"{IDS['one']}:p"
        assert clock.monotonic() >= 1.0

    async def test_too_fast_is_said_to_one_and_slows_that_one(self):
        """The next submit goes where there is no wait."""
        hosts = Hosts(one=Answer(429, headers={"Retry-After": "30"}), two=Answer(json={"process_id": "p"}))
        pool = _pool(hosts)
        error = await _fails(pool.submit(UPLOAD))
        assert (error.kind, error.elsewhere_helps, pool.refusals) == (Kind.TOO_FAST, True, 1)
        assert {(await pool.submit(UPLOAD)).process_id for _each in range(5)} == {f"{IDS['two']}:p"}

    async def test_an_absence_is_not_proven_where_nobody_can_look(self):
        """At a member that is closed, at one that is not given, and of a job whose member is not known."""
        hosts = Hosts(one=Answer(401), two=_page(), three=_page())
        pool = _pool(hosts)
        await pool.hello()
        away = {name: pool.is_away(IDS[name]) for name in NAMES}
        assert away == {"one": True, "two": False, "three": False}
        assert pool.is_away("ffffff")
        assert pool.is_away("")

    async def test_a_busy_member_is_sent_nothing_until_it_says(self):
        """425 is about submits: its jobs are asked after meanwhile."""
        clock = FakeClock()
        await clock.sleep(0)
        hosts = Hosts(one=Answer(425, headers={"Retry-After": "30"}), two=Answer(json={"process_id": "p"}))
        pool = _pool(hosts, clock)
        error = await _fails(pool.submit(UPLOAD))
        assert (error.kind, error.elsewhere_helps) == (Kind.BUSY, True)
        for _each in range(20):
            await pool.submit(UPLOAD)
        assert len(hosts.asked("one")) == 1
        hosts.answers["one.test"] = Answer(json=_row("p"))
        assert (await pool.status(qualified(IDS["one"], "p"))).is_going_on
        hosts.answers["one.test"] = Answer(json={"process_id": "q"})
        await clock.sleep(40.0)
        assert (await pool.submit(UPLOAD)).process_id == f"{IDS['one']}:q"

    async def test_a_refused_key_is_not_the_end_of_a_member_without_credits(self):
        """Its jobs can be fetched still; why nothing more is sent is the lack of credits."""
        hosts = Hosts(one=Answer(402), two=Answer(401))
        pool = _pool(hosts)
        await _fails(pool.submit(UPLOAD))
        error = await _fails(pool.submit(UPLOAD))
        assert (error.kind, error.elsewhere_helps) == (Kind.KEY_REFUSED, True)
        last = await _fails(pool.submit(UPLOAD))
        assert (last.kind, last.elsewhere_helps) == (Kind.NO_CREDITS, False)


class TestTurns:
    """A seat at a member is held from the choice to the answer."""

    async def test_seats_are_spread_before_anything_is_sent(self):
        """Many that choose at once do not all choose the same."""
        pool = _pool(Hosts(one=Answer(500), two=Answer(500), three=Answer(500)))
        seats = await asyncio.gather(*(pool.turn() for _seat in range(9)))
        assert [member.load.in_flight for member in pool.members.values()] == [3, 3, 3]
        for seat in seats:
            seat.pass_up()
        assert [member.load.in_flight for member in pool.members.values()] == [0, 0, 0]

    async def test_what_was_not_accepted_is_not_in_flight(self):
        pool = _pool(Hosts(one=Answer(400), two=Answer(400)))
        for _submit in range(4):
            await _fails(pool.submit(UPLOAD))
        assert [member.load.in_flight for member in pool.members.values()] == [0, 0]

    async def test_what_is_seen_to_have_ended_makes_room(self):
        """By a look at one job, or at a page; a stranger's job counts for nothing."""
        hosts = Hosts(one=Answer(json={"process_id": "p"}), two=Answer(500))
        pool = _pool(hosts)
        await pool.submit(UPLOAD)
        load = pool.members[IDS["one"]].load
        assert load.in_flight == 1
        hosts.answers["one.test"] = _page(_row("stranger", "Completed"), _row("p", "Completed"))
        await pool.listing(qualified(IDS["one"], ""))
        assert load.in_flight == 0
        hosts.answers["one.test"] = Answer(json=_row("old"))
        await pool.status(qualified(IDS["one"], "old"))  # of an earlier process
        assert load.in_flight == 1
        hosts.answers["one.test"] = Answer(json=_row("old", "Failed"))
        await pool.status(qualified(IDS["one"], "old"))
        assert load.in_flight == 0


async def test_balances_add_up():
    """Two keys, two accounts, though at one address they may be one; what can't be asked is left out."""

    def has(credits_available: int) -> Answer:
        return Answer(json={"available_credits": credits_available, "reserved_credits": 1, "total_credits": 0})

    pool = _pool(Hosts(one=has(5), two=has(5), three=Answer(500)))
    assert await pool.balance() == Balance(available=10, reserved=2)
    key_a, key_b = ("https://one.test/image/v1", "a"), ("https://one.test/image/v1", "b")
    endpoint = Endpoint(name="x", base_url=key_a[0], key=key_a[1], others=(key_b,))
    hosts = Hosts(one=has(5))
    both = connect(endpoint, hosts.scripted, FakeClock(), Backoff(), lambda: 1.0)
    assert await both.balance() == Balance(available=10, reserved=2, is_at_most=True)


async def test_one_key_at_two_addresses_is_one_account():
    """If both say the same of it."""
    backend = Endpoint(
        name="x",
        base_url="https://one.test/image/v1",
        key="a",
        others=(("https://two.test/image/v1", "a"), ("https://three.test/image/v1", "a")),
    )

    def has(credits_available: int) -> Answer:
        return Answer(json={"available_credits": credits_available})

    hosts = Hosts(one=has(5), two=has(5), three=has(7))
    pool = connect(backend, hosts.scripted, FakeClock(), Backoff(), lambda: 1.0)
    assert await pool.balance() == Balance(available=12)


async def test_prices_are_asked_of_another_member_where_the_first_can_not_say():
    """Not reached, or not open to this key; a refusal of the job is an answer."""
    price = Answer(json={"credits": 3, "duration": 1})
    for trouble in (ConnectError("refused"), Answer(401)):
        pool = _pool(Hosts(one=trouble, two=price))
        assert await pool.estimate(QUESTION) == Quote(credits=3, duration_s=1.0)
    hosts = Hosts(one=Answer(400), two=price)
    error = await _fails(_pool(hosts).estimate(QUESTION))
    assert (error.kind, hosts.asked("two")) == (Kind.BAD_JOB, [])
