"""Chance without a state: the same seed, question and name always fall the same way. Pure.

Nothing depends on the time or on the order in which jobs come, so a run can be repeated.
"""

import hashlib
from dataclasses import dataclass
from statistics import NormalDist

__all__ = ["Dice"]

_NORMAL = NormalDist()
_BITS = 53  # what a float holds exactly
_SPAN = 2.0**_BITS


@dataclass(frozen=True, slots=True)
class Dice:
    """All the chance of one seed."""

    seed: int

    def share(self, question: str, name: str, attempt: int = 0) -> float:
        """Return a number over 0 and under 1, evenly spread over names and attempts."""
        text = f"{self.seed}\n{question}\n{attempt}\n{name}".encode("utf-8", "surrogatepass")
        number: int = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> (64 - _BITS)
        return (number + 0.5) / _SPAN

    def normal(self, question: str, name: str) -> float:
        """Return a number of the standard normal distribution."""
        return _NORMAL.inv_cdf(self.share(question, name))
