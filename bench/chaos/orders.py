"""What a campaign is told: how much, by which seed, with which faults."""

from dataclasses import dataclass

from bench.chaos.sabotage import Sabotage

__all__ = ["Orders"]

_ALL_FAULTS = {
    "--rate-burst": "30",
    "--server-errors": "0.03",
    "--reset-before": "0.03",
    "--slow-downloads": "0.05",
    "--truncated-downloads": "0.05",
    "--expired-links": "0.05",
    "--eta-noise": "0.3",
    "--old-rows": "150",
}
# What differs from round to round: the order of the listing, and results that are small or stream to the disk.
_ROUNDS = (
    {"--listing-order": "newest", "--result-bytes": "60000"},
    {"--listing-order": "random", "--result-bytes": "2500000", "--slow-bytes-per-s": "2000000"},
    {"--listing-order": "oldest", "--result-bytes": "60000"},
)
# Of the engine: short waits, so that a life is not spent waiting.
_SETTINGS = {
    "BACKOFF_FIRST_S": "0.05",
    "BACKOFF_MAX_S": "1.0",
    "DRAIN_S": "0.5",
    "STALL_TIMEOUT_S": "10",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How much, by which seed, with which faults; `at_once`: rounds.

    `settle_s` is the engine's. The service lists a job before it answers, so it may be short.
    """

    jobs: int
    kills: int
    seed: int
    jobs_a_round: int = 500
    at_once: int = 1
    latency: str = "lognormal:0.4:0.5"
    rate: int = 60  # calls a second, so that a life sees few jobs
    reset_after: float = 0.05  # share of submits that are accepted and not answered
    settle_s: float = 0.5
    longest_life_s: float = 2.5  # that ends at a random moment
    sabotage: Sabotage | None = None
    is_chained: bool = False  # each picture goes through two stages

    @property
    def jobs_a_life(self) -> float:
        return self.jobs / max(1, self.kills)

    def service_options(self, number: int) -> list[str]:
        """Return what `serve --simulate` is told in round `number`."""
        options = {
            **_ALL_FAULTS,
            **_ROUNDS[number % len(_ROUNDS)],
            "--seed": str(self.seed + number),
            "--latency": self.latency,
            "--rate": str(self.rate),
            "--reset-after": str(self.reset_after),
        }
        return [each for pair in options.items() for each in pair]

    def restore_options(self) -> list[str]:
        """Return what `restore` is told of the stages; outputs keep their inputs' size either way."""
        return ["--then", "enhance"] if self.is_chained else []

    def environment(self) -> dict[str, str]:
        """Return the engine's settings as its environment; a life that ends soon has few jobs in flight."""
        in_flight = max(6, round(4 * self.jobs_a_life))
        settings = {**_SETTINGS, "SETTLE_S": str(self.settle_s), "MAX_IN_FLIGHT": str(in_flight)}
        return {f"FACE_RECOVERY_{name}": value for name, value in settings.items()}
