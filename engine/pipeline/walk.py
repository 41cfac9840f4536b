"""One walk through the listing, from its head, for the flights that are on no remembered page; and what walks cost.

Where new rows come first, the flights of the last seconds stand together at the head and a walk costs a page for a
hundred of them. Where the order is another one, or old finished rows lie between, it may take every page there is: a
walk that finds less than a flight a page is given up, and as long as that is so, flights are looked at alone.
"""

from collections.abc import Iterable

from engine.remote.client import PAGE_ROWS

__all__ = ["HOPELESS", "Walk"]

_PATIENCE_PAGES = 8  # yields are judged over so many
_WEIGHT = 0.3  # of the newest walk in the mean
_DEAR = 0.6  # pages a flight: with a look alone at 1, the point where a walk stops paying
_FORGETS = 0.98  # of its dearness with every look at a flight alone
HOPELESS = 2  # failures in a row, here and of one page: the listing is done without for a while
_VERY_DEAR = 10.0


class Walk:
    """`due` (monotonic seconds, 0: not planned), `planned_for` (so many loose flights), and its cost."""

    def __init__(self) -> None:
        self.due = 0.0
        self.planned_for = 0
        self.failures = 0.0
        self.is_urgent = False  # somebody waits for it who may be done already
        self.is_under_way = False
        self._wanted: set[int] = set()
        self._sought = 0
        self._pages = 0
        self._lately: list[int] = []  # how many wanted ones each of the last pages showed
        self._is_at_end = False
        self._pages_a_flight = 1 / PAGE_ROWS

    def __repr__(self) -> str:
        return f"<Walk {self._pages_a_flight:.3f} pages a flight{', under way' if self.is_under_way else ''}>"

    @property
    def is_dear(self) -> bool:
        return self._pages_a_flight > _DEAR

    @property
    def is_over(self) -> bool:
        """Whether going on is of no use: all are found, the listing is at its end, or the pages yield too little."""
        if not self._wanted or self._is_at_end:
            return True
        return len(self._lately) == _PATIENCE_PAGES and sum(self._lately) < _PATIENCE_PAGES

    def pages_for(self, flights: int) -> float:
        """Return how many requests a walk for so many flights is expected to cost."""
        return max(1.0, flights * self._pages_a_flight)

    def is_outgrown(self, loose: int) -> bool:
        """Say whether the plan, made for fewer flights, should be made anew; it is while a walk is not under way."""
        return not self.is_under_way and (not self.due or loose >= 2 * self.planned_for)

    def begin(self, wanted: Iterable[int]) -> None:
        self.is_under_way, self.is_urgent, self._is_at_end = True, False, False
        self._wanted = set(wanted)
        self._sought, self._pages, self._lately = len(self._wanted), 0, []

    def saw(self, numbers: set[int], *, is_last: bool) -> None:
        """Take in the flights that one more page showed."""
        self._pages += 1
        self._lately = [*self._lately[1 - _PATIENCE_PAGES :], len(self._wanted & numbers)]
        self._wanted -= numbers
        self._is_at_end = is_last

    def end(self) -> set[int]:
        """Take in what the walk cost; return those it did not find."""
        self.failures = 0.0
        found = self._sought - len(self._wanted)
        cost = self._pages / max(found, 0.5)
        weight = _WEIGHT if found else 1.0
        self._pages_a_flight += weight * (cost - self._pages_a_flight)
        return self._wanted

    def failed(self, weight: float) -> None:
        """Take in that a page could not be read; two such failures in a row make walks dear for a while."""
        self.failures += weight
        if self.failures >= HOPELESS:
            self._pages_a_flight = _VERY_DEAR

    def spared(self) -> None:
        """A flight was looked at alone, perhaps because walks are dear: they will be tried again some time."""
        if self.is_dear:
            self._pages_a_flight *= _FORGETS
