"""How a number moved over time, in bounded memory: for the report, which asks what the limits were and when."""

__all__ = ["Timeline"]

_MAX_POINTS = 512
_TELLING = 0.1  # smaller relative changes are left out


class Timeline:
    """Points (monotonic seconds, value). When there are too many, every other one of the older half is dropped."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []

    def note(self, at: float, value: float) -> None:
        """Keep `value` if it differs tellingly from the last one kept."""
        if self.points and abs(value - self.points[-1][1]) <= _TELLING * abs(self.points[-1][1]):
            return
        self.points.append((round(at, 2), round(value, 2)))
        if len(self.points) > _MAX_POINTS:
            half = _MAX_POINTS // 2
            self.points[:half] = self.points[:half:2]

    def since(self, start: float) -> list[tuple[float, float]]:
        """Return the points with times counted from `start`."""
        return [(round(at - start, 2), value) for at, value in self.points]
