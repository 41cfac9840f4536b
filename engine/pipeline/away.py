"""Flights whose member of a pool can't be reached: time that counts against no deadline, and is not waited for ever."""

from collections.abc import Callable

from engine.errors import MachineError
from engine.pipeline.flight import Flight
from engine.pipeline.scope import Scope
from engine.remote.failures import RemoteError

__all__ = ["Away"]


class Away:
    """`is_waiting` says whether a flight is looked at still: one that has left otherwise counts no more."""

    def __init__(self, scope: Scope, is_waiting: Callable[[Flight], bool]) -> None:
        self._scope = scope
        self._is_waiting = is_waiting
        self._flights: dict[int, Flight] = {}  # by job number

    def __repr__(self) -> str:
        return f"<Away: {len(self._flights)} flights>"

    def went(self, flight: Flight, error: RemoteError) -> None:
        """Take in that a flight can't be asked after; raises MachineError when all that is left is to wait for such."""
        now = self._scope.clock.monotonic()
        flight.away_from = flight.away_from or now
        self._flights[flight.number] = flight
        self._tell()
        if not self._scope.is_stuck:
            return
        left = [each for each in self._flights.values() if each.away_from and self._is_waiting(each)]
        self._flights = {each.number: each for each in left}
        self._tell()
        latest = max((each.away_from for each in left), default=now)
        if self._scope.is_stuck and now - latest > self._scope.settings.unreachable_limit_s:
            raise MachineError(f"what is left are {len(left)} jobs that can't be asked after ({error}); resume later")

    def came_back(self, flight: Flight) -> None:
        """Take in that a flight can be asked after; does nothing for one that always could be."""
        if flight.away_from:
            flight.away_s += self._scope.clock.monotonic() - flight.away_from
            flight.away_from = 0.0
            self._flights.pop(flight.number, None)
            self._tell()

    def _tell(self) -> None:
        self._scope.stuck["poll"] = len(self._flights)
