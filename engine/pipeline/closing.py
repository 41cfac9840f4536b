"""Why and how a run stops before its end: no new submits first, then away."""

import asyncio
from enum import StrEnum

__all__ = ["Closing", "Reason"]


class Reason(StrEnum):
    """What stopped the run."""

    INTERRUPTED = "interrupted"
    CREDITS = "out of credits"
    KEY_REFUSED = "key refused"
    BROKEN = "stopped by an error"


class Closing:
    """Told once; the first reason stays. `message` is the line for the user."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.message = ""
        self.told = asyncio.Event()  # no new submits
        self.leaving = asyncio.Event()  # and what is in flight is left for a resume

    def tell(self, reason: Reason, message: str) -> None:
        """Close the submit lane. What is in flight is finished after CREDITS, and left for a resume otherwise."""
        if self.reason is None or (self.reason is Reason.CREDITS and reason is not Reason.CREDITS):
            self.reason = reason
            self.message = message
            self.told.set()
            if reason is not Reason.CREDITS:
                self.leaving.set()

    @property
    def is_told(self) -> bool:
        return self.reason is not None
