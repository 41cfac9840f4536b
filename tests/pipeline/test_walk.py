"""A walk through the listing: when it is over, what it costs, and when walks are done without."""

import pytest

from engine.pipeline.walk import Walk


@pytest.fixture
def walk() -> Walk:
    return Walk()


def make(walk: Walk, wanted: int, pages: list[set[int]], *, has_end: bool = True) -> set[int]:
    """Make one whole walk for so many flights over `pages`; return what it did not find."""
    walk.begin(range(wanted))
    for number, page in enumerate(pages, start=1):
        assert not walk.is_over
        walk.saw(page, is_last=has_end and number == len(pages))
    assert walk.is_over
    walk.is_under_way = False
    return walk.end()


def test_a_walk_is_over_once_all_are_found(walk: Walk):
    """No page is asked for beyond the one that shows the last wanted flight."""
    assert make(walk, 150, [set(range(100)), set(range(50, 150))], has_end=False) == set()
    assert not walk.is_dear


def test_a_walk_for_nothing_is_over_before_it_began(walk: Walk):
    """Without wanted flights there is nothing to ask."""
    walk.begin([])
    assert walk.is_over


def test_the_end_of_the_listing_ends_the_walk(walk: Walk):
    """What was not seen by then is told."""
    assert make(walk, 10, [set(range(5)), {7}]) == {5, 6, 8, 9}


def test_a_walk_that_yields_too_little_is_given_up(walk: Walk):
    """Eight pages in a row that show less than a flight each, on average, are enough, wherever they are."""
    found = [{2 * number, 2 * number + 1} for number in range(10)]
    assert make(walk, 50, [*found, *[set[int]()] * 5], has_end=False) == set(range(20, 50))


def test_a_walk_that_yields_a_flight_a_page_goes_on(walk: Walk):
    """However long it takes: it is as cheap as looks alone."""
    assert make(walk, 40, [{number} for number in range(40)], has_end=False) == set()


def test_the_price_of_a_walk_follows_what_walks_cost(walk: Walk):
    """At first a page for a hundred flights; after costly walks more; never less than one request."""
    assert (walk.pages_for(1), walk.pages_for(300)) == (1.0, pytest.approx(3.0))
    for _walk in range(20):
        make(walk, 30, [{3 * number, 3 * number + 1, 3 * number + 2} for number in range(10)], has_end=False)
    assert walk.pages_for(300) == pytest.approx(100, rel=0.01)
    assert not walk.is_dear


def test_a_walk_that_found_nothing_makes_walks_dear_at_once(walk: Walk):
    """One such walk over many pages is enough: the flights are looked at alone from then on."""
    assert make(walk, 50, [set[int]()] * 8, has_end=False) == set(range(50))
    assert walk.is_dear


def test_dear_walks_are_tried_again_some_time(walk: Walk):
    """Looks at flights alone wear the memory of a dear walk off, in bounded time."""
    make(walk, 50, [set[int]()] * 8, has_end=False)
    looks = 0
    while walk.is_dear:
        walk.spared()
        looks += 1
    assert 100 < looks < 300


def test_looks_alone_do_not_make_cheap_walks_cheaper(walk: Walk):
    """Only what a walk really cost says that walks are cheap."""
    before = walk.pages_for(1000)
    for _look in range(1000):
        walk.spared()
    assert walk.pages_for(1000) == before


def test_a_listing_that_fails_twice_in_a_row_is_done_without(walk: Walk):
    """Once is bad luck; a success in between begins the count anew."""
    walk.failed(1.0)
    assert not walk.is_dear
    make(walk, 10, [set(range(10))])
    walk.failed(1.0)
    assert not walk.is_dear
    walk.failed(1.0)
    assert walk.is_dear


def test_being_too_fast_weighs_little(walk: Walk):
    """A 429 says little about whether walks are worth it; many in a row do, so that nobody waits for one for ever."""
    for _time in range(9):
        walk.failed(0.2)
    assert not walk.is_dear
    for _time in range(2):
        walk.failed(0.2)
    assert walk.is_dear


def test_a_plan_is_outgrown_when_twice_as_many_are_loose(walk: Walk):
    """Or when there is no plan at all; never while the walk is under way, since it is planned anew after it."""
    assert walk.is_outgrown(1)
    walk.due, walk.planned_for = 10.0, 5
    assert not walk.is_outgrown(9)
    assert walk.is_outgrown(10)
    walk.begin([1])
    assert not walk.is_outgrown(1000)
