"""The planner: which look comes when, without sending anything."""

import pytest

from engine.pipeline.flight import Flight
from engine.pipeline.planner import Planner
from engine.settings import Settings
from tests.fakes.clock import FakeClock
from tests.pipeline.harness import flight

SCOUTS = 3


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(is_manual=True)


@pytest.fixture
def planner(clock: FakeClock) -> Planner:
    return Planner(Settings(), clock)


def add(planner: Planner, clock: FakeClock, numbers: range, *, eta_s: float = 20.0) -> list[Flight]:
    flights = [flight(number, now=clock.now(), eta_s=eta_s) for number in numbers]
    for each in flights:
        planner.add(each)
    return flights


def add_loose(planner: Planner, clock: FakeClock, count: int, *, eta_s: float = 20.0) -> list[Flight]:
    """Add the scouts, and then so many flights behind them; return these."""
    add(planner, clock, range(1000, 1000 + SCOUTS), eta_s=eta_s)
    return add(planner, clock, range(count), eta_s=eta_s)


def make_walks_dear(planner: Planner) -> None:
    planner.walk.failed(1.0)
    planner.walk.failed(1.0)
    assert planner.walk.is_dear


async def test_the_first_flights_scout_and_the_others_wait_for_a_walk(planner: Planner, clock: FakeClock):
    """Three are looked at alone soon, whatever their eta says; the rest share the listing."""
    flights = add(planner, clock, range(50), eta_s=5000.0)
    assert [each.number for each in flights if each.due] == [0, 1, 2]
    assert max(each.due for each in flights) <= 1.0
    assert list(planner.pages.loose) == list(range(3, 50))
    assert planner.walk.due > 1.0


async def test_scouts_are_looked_at_ever_less_often_until_one_has_finished(planner: Planner, clock: FakeClock):
    """An eta of hours costs few looks even while nobody knows what it is worth."""
    scout = add(planner, clock, range(1), eta_s=7200.0)[0]
    waits = []
    for _look in range(10):
        scout.looks += 1
        planner.plan_alone(scout)
        waits.append(scout.due)
    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0]


async def test_no_scouts_once_something_is_learned(planner: Planner, clock: FakeClock):
    """The forecast stands in for them."""
    finished = add(planner, clock, range(1))[0]
    planner.remove(finished)
    planner.learn(finished, 20.0)
    late = add(planner, clock, range(1, 3))
    assert [each.due for each in late] == [0.0, 0.0]
    assert list(planner.pages.loose) == [1, 2]


async def test_a_resumed_flight_is_looked_for_at_once(planner: Planner, clock: FakeClock):
    """The next walk is due now, not near the eta."""
    resumed = flight(5, now=clock.now(), eta_s=5000.0)
    resumed.is_resumed = True
    planner.add(resumed)
    await clock.advance(0.01)
    assert planner.agenda.take() is planner.walk
    assert list(planner.pages.loose) == [5]


async def test_an_outgrown_walk_comes_sooner(planner: Planner, clock: FakeClock):
    """What is expected of a walk grows with the flights it is for: their number doubles, and it is planned anew."""
    add_loose(planner, clock, 2, eta_s=40.0)
    first = planner.walk.due
    add(planner, clock, range(2, 3), eta_s=40.0)
    assert planner.walk.due == first
    add(planner, clock, range(3, 100), eta_s=40.0)
    assert planner.walk.due < first
    assert planner.walk.planned_for > 50


async def test_while_walks_are_dear_flights_are_looked_at_alone(planner: Planner, clock: FakeClock):
    """No flight waits for a walk that does not come, be it new or loose before."""
    loose = add_loose(planner, clock, 10)
    make_walks_dear(planner)
    planner.plan_walk()
    new = add(planner, clock, range(100, 110))
    assert all(each.due for each in (*loose, *new))
    assert (planner.pages.loose, planner.walk.due) == ({}, 0.0)


async def test_a_page_is_looked_at_instead_of_its_flights(planner: Planner, clock: FakeClock):
    """A flight seen on a page is off the agenda; the page is on it."""
    flights = add(planner, clock, range(SCOUTS))
    page = planner.pages.page("1")
    for each in flights:
        planner.place(each, page)
    planner.plan_page(page)
    assert ([each.due for each in flights], page.due > 0) == ([0.0] * SCOUTS, True)


async def test_a_flight_keeps_its_page_and_its_plan(planner: Planner, clock: FakeClock):
    """Another page that shows it too changes nothing."""
    one, two = planner.pages.page("1"), planner.pages.page("2")
    seen = add(planner, clock, range(1))[0]
    planner.place(seen, one)
    planner.place(seen, two)
    assert (seen.page, two.flights) == (one, {})


async def test_the_last_flight_of_a_page_is_looked_at_alone(planner: Planner, clock: FakeClock):
    """A page is dissolved when it is not worth its rows."""
    flights = add_loose(planner, clock, 2)
    page = planner.pages.page("1")
    for each in flights:
        planner.place(each, page)
    planner.plan_page(page)
    planner.remove(flights[0])
    planner.plan_page(page)
    assert (flights[1].page, flights[1].due > 0, page.due, planner.pages.every()) == (None, True, 0.0, [])


async def test_a_dissolved_page_leaves_none_of_its_flights_unplanned(planner: Planner, clock: FakeClock):
    """Each is on the agenda alone; the page is forgotten."""
    flights = add_loose(planner, clock, 20)
    page = planner.pages.page("1")
    for each in flights:
        planner.place(each, page)
    planner.plan_page(page)
    planner.dissolve(page)
    assert all(each.due and each.page is None for each in flights)
    assert (planner.pages.every(), page.due) == ([], 0.0)


async def test_what_the_first_jobs_teach_moves_all_looks(planner: Planner, clock: FakeClock):
    """Pages and the walk that were planned by etas a hundred times too late are planned again, much sooner."""
    flights = add_loose(planner, clock, 60, eta_s=5000.0)
    page = planner.pages.page("1")
    for each in flights[:30]:
        planner.place(each, page)
    planner.plan_page(page)
    planner.plan_walk()
    before = page.due, planner.walk.due
    await clock.advance(10.0)
    for number in range(4):
        planner.learn(flight(2000 + number, now=clock.now(), eta_s=5000.0), 50.0)
    assert before[0] > 400 < before[1]
    assert page.due < 60 > planner.walk.due


async def test_a_page_or_walk_under_way_is_not_planned_again(planner: Planner, clock: FakeClock):
    """Its look plans the next one when it ends."""
    flights = add_loose(planner, clock, 10)
    page = planner.pages.page("1")
    for each in flights[:5]:
        planner.place(each, page)
    planner.walk.due = 0.0
    page.is_asked = planner.walk.is_under_way = True
    planner.learn(flight(2000, now=clock.now()), 20.0)
    assert (page.due, planner.walk.due) == (0.0, 0.0)


async def test_a_removed_flight_is_due_no_more(planner: Planner, clock: FakeClock):
    """Nothing looks at a flight that waits no more, whatever was planned."""
    flights = add(planner, clock, range(SCOUTS))
    assert planner.has(flights[0])
    planner.remove(flights[0])
    await clock.advance(60.0)
    taken = [planner.agenda.take(), planner.agenda.take(), planner.agenda.take()]
    assert (planner.has(flights[0]), taken) == (False, [flights[1], flights[2], None])


async def test_a_flight_that_comes_back_is_looked_at_alone_when_it_asks_for_it(planner: Planner, clock: FakeClock):
    """A download that failed waits its own time."""
    (back,) = add(planner, clock, range(1))
    planner.remove(back)
    planner.add_again(back, 7.0)
    await clock.advance(6.9)
    assert planner.agenda.take() is None
    await clock.advance(0.1)
    assert (planner.agenda.take(), planner.has(back)) == (back, True)


async def test_looks_keep_within_the_settings(planner: Planner, clock: FakeClock):
    """Never sooner than `poll_min_s`; a job long overdue is still looked at every `poll_max_s`."""
    settings = Settings()
    (stuck,) = add(planner, clock, range(1))
    planner.learn(flight(2000, now=clock.now()), 20.0)
    await clock.advance(5000.0)
    stuck.seen_from = clock.monotonic()
    planner.plan_alone(stuck)
    assert settings.poll_min_s <= stuck.due - clock.monotonic() <= settings.poll_max_s
