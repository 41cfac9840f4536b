"""Which look at waiting flights comes when: at one alone, at a remembered page of the listing, or a walk from its head.

Every look is one request (a walk several), planned for the moment at which what it is expected to find is worth it.
Decides and remembers; sends nothing.
"""

from collections.abc import Collection

from engine.clock import Clock
from engine.pipeline.agenda import Agenda
from engine.pipeline.flight import Flight
from engine.pipeline.pages import Page, Pages
from engine.pipeline.walk import Walk
from engine.policy.forecast import Age, Forecast
from engine.policy.look_price import LookPrice
from engine.settings import Settings

__all__ = ["Look", "Planner"]

Look = Flight | Page | Walk

# Until a job has finished nobody knows what the etas are worth: the first few are looked at early, then less often.
_SCOUTS = 3
_SCOUT_WAIT_S, _SCOUT_GROWTH = 0.5, 1.5
# A forecast of hours need not be doubted every `poll_max_s`.
_PATIENCE = 0.1
# A page with no more flights than this is not worth its rows: they are looked at alone.
_TOO_FEW = 1


class Planner:
    """The waiting flights (`flights`, by process id), what is known of them, and what is planned."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.flights: dict[str, Flight] = {}
        self.pages = Pages()
        self.walk = Walk()
        self.agenda: Agenda[Look] = Agenda(clock)
        self.forecast = Forecast()
        self.price = LookPrice(delay_s=settings.poll_delay_s, now=clock.monotonic())
        self._scouts = 0

    def __repr__(self) -> str:
        return f"<Planner of {len(self.flights)} flights: {self.pages!r}, {self.forecast!r}, {self.price!r}>"

    def add(self, flight: Flight) -> None:
        """Take an accepted flight; one of unknown age is looked for right away."""
        now = self._clock.monotonic()
        flight.looks = flight.failed_looks = 0
        flight.due = 0.0
        flight.polled_from = flight.seen_from = now
        self.flights[flight.process_id] = flight
        if flight.is_of_unknown_age:
            self.pages.loosen(flight)
            self.walk.is_urgent = True
            self.plan_walk()
        elif self._scouts < _SCOUTS and not self.forecast.learned:
            self._scouts += 1
            self.agenda.plan(flight, _SCOUT_WAIT_S)
        elif self.walk.is_dear:
            self.plan_alone(flight)
        else:
            self.pages.loosen(flight)
            self.plan_outgrown_walk()

    def add_again(self, flight: Flight, wait_s: float) -> None:
        """Take back a flight that was seen to be finished, to be looked at alone after `wait_s`."""
        self.flights[flight.process_id] = flight
        self.agenda.plan(flight, wait_s)

    def wake(self, process_id: str) -> None:
        """Have a waiting flight looked at now, where it was seen last; one look at a page serves all that is on it."""
        flight = self.flights.get(process_id)
        if flight is None:
            return
        if flight.page is not None and not flight.page.is_asked:
            self.agenda.plan(flight.page, 0.0)
        else:
            self.pages.remove(flight)
            self.agenda.plan(flight, 0.0)

    def has(self, flight: Flight) -> bool:
        """Say whether `flight` still waits."""
        return self.flights.get(flight.process_id) is flight

    def remove(self, flight: Flight) -> None:
        """Forget a flight that waits no more."""
        self.flights.pop(flight.process_id, None)
        self.pages.remove(flight)
        flight.due = 0.0

    def place(self, flight: Flight, page: Page) -> None:
        """`flight` was seen on `page`: from now on it is looked at there, unless it has a page already."""
        if flight.page is None:
            self.pages.place(flight, page)
            flight.due = 0.0

    def plan_alone(self, flight: Flight) -> None:
        if flight.is_of_unknown_age and not flight.looks:
            self.agenda.plan(flight, 0.0)
            return
        wait_s = self._worthwhile_s((flight,), 1.0)
        if not self.forecast.learned:
            wait_s = min(wait_s, _SCOUT_WAIT_S * _SCOUT_GROWTH**flight.looks)
        self.agenda.plan(flight, wait_s)

    def plan_page(self, page: Page) -> None:
        """Plan the next look at a page, or at its last flights alone."""
        if len(page.flights) <= _TOO_FEW:
            self.dissolve(page)
        else:
            self.agenda.plan(page, self._worthwhile_s(page.flights.values(), 1.0))

    def dissolve(self, page: Page) -> None:
        """Have the flights of a page looked at alone."""
        for flight in list(page.flights.values()):
            self.pages.remove(flight)
            self.plan_alone(flight)
        self.pages.drop(page)

    def plan_walk(self) -> None:
        """Plan the next walk for the loose flights, or looks at them alone where that is cheaper."""
        loose = self.pages.loose
        self.walk.planned_for = len(loose)
        if loose and not self.walk.is_dear:
            requests = self.walk.pages_for(len(loose))
            self.agenda.plan(self.walk, 0.0 if self.walk.is_urgent else self._worthwhile_s(loose.values(), requests))
            return
        self.walk.due = 0.0
        for flight in list(loose.values()):
            self.pages.remove(flight)
            self.plan_alone(flight)

    def plan_outgrown_walk(self) -> None:
        """Plan the walk anew when there are many more loose flights than it was planned for."""
        if self.walk.is_outgrown(len(self.pages.loose)):
            self.plan_walk()

    def learn(self, flight: Flight, took_s: float) -> None:
        """Take in how long a finished flight took, and how long it lay unseen."""
        self.price.found(flight.unseen_s)
        self.forecast.learn(forecast_s=_forecast_s(flight), took_s=took_s)
        if not self.forecast.learned & (self.forecast.learned - 1):  # 1, 2, 4, 8, ...
            self._plan_anew()

    def correct_price(self, rate_per_s: float | None) -> None:
        """Let the price of a look follow what was measured; `rate_per_s`: the pace that the remote allows."""
        self.price.correct(self._clock.monotonic(), self.forecast.mean_s, rate_per_s)

    def _plan_anew(self) -> None:
        """The first finished jobs move every forecast a lot: what was planned by the old one is planned again."""
        for page in self.pages.every():
            if not page.is_asked:
                self.plan_page(page)
        if not self.walk.is_under_way:
            self.plan_walk()

    def _worthwhile_s(self, flights: Collection[Flight], requests: float) -> float:
        """Return the seconds until a look at `flights`, costing so many requests, is worth it."""
        settings, now = self._settings, self._clock.monotonic()
        ages: list[Age] = [(_forecast_s(flight), flight.age_s(flight.seen_from)) for flight in flights]
        price_s = requests * self.price.price_s(len(self.flights), self.forecast.mean_s)
        most_s = max(settings.poll_max_s, _PATIENCE * max(forecast_s for forecast_s, _age_s in ages))
        wait_s = self.forecast.wait_s(ages, price_s, least_s=settings.poll_min_s, most_s=most_s)
        unseen_s = now - sum(flight.seen_from for flight in flights) / len(flights)
        return max(settings.poll_min_s, wait_s - unseen_s)


def _forecast_s(flight: Flight) -> float:
    """Return what the remote foretold for `flight`, from its acceptance on; 0 for nothing."""
    return max(0.0, flight.eta - flight.accepted_at) if flight.eta else 0.0
