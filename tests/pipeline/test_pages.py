"""The remembered pages: each waiting flight is on one page, or loose, or neither; never twice."""

import pytest

from engine.pipeline.pages import Pages
from tests.pipeline.harness import flight


@pytest.fixture
def pages() -> Pages:
    return Pages()


def test_a_flight_seen_on_a_page_is_loose_no_more(pages: Pages):
    """It is on that page, and stays there when another page shows it too."""
    one, two, seen = pages.page("1"), pages.page("2"), flight(7)
    pages.loosen(seen)
    assert repr(pages) == "<Pages: 2 remembered, 1 flights loose>"
    pages.place(seen, one)
    pages.place(seen, two)
    assert (seen.page, one.flights, two.flights, pages.loose) == (one, {7: seen}, {}, {})


def test_a_page_is_remembered_by_its_cursor(pages: Pages):
    """The same cursor is the same page, for as long as it has flights."""
    page, seen = pages.page("1"), flight(7)
    pages.place(seen, page)
    assert pages.page("1") is page
    pages.remove(seen)
    assert pages.every() == []
    assert pages.page("1") is not page


def test_the_last_flight_takes_its_page_along(pages: Pages):
    """A page without flights is forgotten and off the agenda; before that it is neither."""
    page, first, last = pages.page("1"), flight(1), flight(2)
    pages.place(first, page)
    pages.place(last, page)
    page.due = 5.0
    pages.remove(first)
    assert (pages.every(), page.due) == ([page], 5.0)
    pages.remove(last)
    assert (pages.every(), page.due, last.page) == ([], 0.0, None)


def test_a_page_that_is_being_looked_at_is_not_forgotten(pages: Pages):
    """Its look is still to place flights on it."""
    page, seen = pages.page("1"), flight(7)
    pages.place(seen, page)
    page.is_asked = True
    pages.remove(seen)
    assert pages.page("1") is page


def test_a_loosened_flight_leaves_its_page(pages: Pages):
    """It can be placed anew, on any page."""
    old, new, moved, other = pages.page("1"), pages.page("2"), flight(7), flight(8)
    pages.place(moved, old)
    pages.place(other, old)
    pages.loosen(moved)
    assert (old.flights, pages.loose) == ({8: other}, {7: moved})
    pages.place(moved, new)
    assert (moved.page, new.flights, pages.loose) == (new, {7: moved}, {})


def test_removing_what_is_not_there_changes_nothing(pages: Pages):
    """A flight that was never loose nor placed can be removed, and twice."""
    page, seen = pages.page("1"), flight(7)
    pages.place(seen, page)
    pages.remove(flight(8))
    pages.remove(flight(8))
    assert (pages.every(), page.flights, pages.loose) == ([page], {7: seen}, {})
