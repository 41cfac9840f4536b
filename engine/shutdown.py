"""Signals: the first asks to stop well, the second stops now."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator

__all__ = ["two_step"]


@contextlib.contextmanager
def two_step(ask: Callable[[], object], leave: Callable[[], object]) -> Iterator[None]:
    """Within the block, SIGINT or SIGTERM calls `ask` the first time and `leave` from then on, on the running loop."""
    loop = asyncio.get_running_loop()
    asked = False

    def receive() -> None:
        nonlocal asked
        if asked:
            leave()
            return
        asked = True
        ask()

    caught = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # Windows; not the main thread
            loop.add_signal_handler(number, receive)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
