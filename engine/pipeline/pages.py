"""Which flights were seen on which page of the remote's listing, so that only pages worth it are asked for again.

A page is named by the cursor that leads to it. How a remote's cursors behave is not documented: where they stay put (a
key of the last row), a page shows the same rows again; where they shift, a flight that is not on its page any more is
loose again, and is found by another walk or looked at alone. Nothing here is believed further than the next look.
"""

from dataclasses import dataclass, field

from engine.pipeline.flight import Flight

__all__ = ["Page", "Pages"]


@dataclass(slots=True, eq=False)
class Page:
    """One remembered page and the unfinished flights last seen on it, by job number. `due`: monotonic seconds."""

    cursor: str
    flights: dict[int, Flight] = field(default_factory=dict)
    due: float = 0.0
    is_asked: bool = False  # a look is under way
    failures: float = 0.0  # in a row


class Pages:
    """The remembered pages, and the flights that are on none (`loose`), in the order they came."""

    def __init__(self) -> None:
        self.loose: dict[int, Flight] = {}
        self._by_cursor: dict[str, Page] = {}

    def __repr__(self) -> str:
        return f"<Pages: {len(self._by_cursor)} remembered, {len(self.loose)} flights loose>"

    def page(self, cursor: str) -> Page:
        """Return the page at `cursor`, remembered from now on."""
        return self._by_cursor.setdefault(cursor, Page(cursor))

    def place(self, flight: Flight, page: Page) -> None:
        """Remember that `flight` was seen on `page`, unless it has a page already."""
        if flight.page is None:
            flight.page = page
            page.flights[flight.number] = flight
            self.loose.pop(flight.number, None)

    def loosen(self, flight: Flight) -> None:
        """Forget where `flight` was seen."""
        self.remove(flight)
        self.loose[flight.number] = flight

    def remove(self, flight: Flight) -> None:
        """Forget `flight`."""
        self.loose.pop(flight.number, None)
        page, flight.page = flight.page, None
        if page is not None:
            page.flights.pop(flight.number, None)
            if not page.flights and not page.is_asked:
                self.drop(page)

    def drop(self, page: Page) -> None:
        """Forget an empty page."""
        self._by_cursor.pop(page.cursor, None)
        page.due = 0.0

    def every(self) -> list[Page]:
        return list(self._by_cursor.values())
