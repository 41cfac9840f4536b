"""What people see while a run goes on: a bar on a terminal, a line now and then elsewhere, or nothing.

Observers read the run's view at their own pace; the run never waits for them.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.job.state import State
from engine.pipeline.run import View

__all__ = ["Pace", "duration", "show"]

_REFRESH_S = 0.25
_LINE_EVERY_S = 10.0
_PACE_WINDOW_S = 30.0
_BAR_COLUMNS = (10, 40)  # a fifth of the terminal, within these
_LOOKING = "starting: looking for pictures"


@dataclass(slots=True)
class Pace:
    """Images a second over the last half minute, from samples of how many have ended."""

    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def sample(self, at: float, ended: int) -> float:
        """Take in that `ended` jobs had ended at second `at`, and return the rate (1/s)."""
        self.samples.append((at, ended))
        while at - self.samples[0][0] > _PACE_WINDOW_S and len(self.samples) > 2:
            self.samples.popleft()
        (first_at, first), (last_at, last) = self.samples[0], self.samples[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0


@contextlib.asynccontextmanager
async def show(console: Console | None) -> AsyncIterator[Callable[[View], None]]:
    """Yield what the run calls with its view once it starts; None shows nothing."""
    started: asyncio.Future[View] = asyncio.get_running_loop().create_future()
    painter = asyncio.create_task(_paint(console, started)) if console is not None else None
    try:
        yield lambda view: None if started.done() else started.set_result(view)
    finally:
        if painter is not None:
            painter.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await painter


async def _paint(console: Console, started: "asyncio.Future[View]") -> None:
    """Paint until cancelled. A screen that is gone, or too odd to paint on, ends the painting and not the run."""
    view = await started
    with contextlib.suppress(Exception):
        if console.is_terminal:
            await _paint_bar(console, view)
        else:
            await _print_lines(console, view)


async def _paint_bar(console: Console, view: View) -> None:
    pace = Pace()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        try:
            while True:
                rate = pace.sample(time.monotonic(), view.tally.ended)
                live.update(_bar(view, rate, console.width), refresh=True)
                await asyncio.sleep(_REFRESH_S)
        finally:
            live.update(_bar(view, 0.0, console.width), refresh=True)


async def _print_lines(console: Console, view: View) -> None:
    pace = Pace()
    told: set[str] = set()
    while True:
        await asyncio.sleep(_LINE_EVERY_S)
        for note in view.notes.lines():
            if note not in told:
                console.print(note, soft_wrap=True, markup=False)
        told.update(view.notes.lines())
        rate = pace.sample(time.monotonic(), view.tally.ended)
        console.print(_joined(_facts(view, rate)) if view.tally.planned else _LOOKING, soft_wrap=True)


def _bar(view: View, rate: float, columns: int) -> RenderableType:
    """Return one line, and one for each note; on a narrow terminal the last facts are left out."""
    tally = view.tally
    if not tally.planned:
        return Text(_LOOKING, style="dim")
    count = Text(f"{tally.ended:,}/{tally.planned:,}", style="bold")
    least, most = _BAR_COLUMNS
    width = min(most, max(least, columns // 5))
    facts = _facts(view, rate)[1:]
    while len(facts) > 1 and len(_joined(facts)) > columns - len(count) - width - 2:
        facts.pop()
    grid = Table.grid(padding=(0, 1))
    grid.add_row(count, ProgressBar(total=tally.planned, completed=tally.ended, width=width), _joined(facts))
    notes = [Text(note, style="dim") for note in view.notes.lines()]
    if view.closing.is_told:
        notes.append(Text(f"stopping: {view.closing.message or view.closing.reason}", style="yellow"))
    return Group(grid, *notes) if notes else grid


def _joined(facts: list[str]) -> str:
    return " · ".join(facts)


def _facts(view: View, rate: float) -> list[str]:
    """Return what there is to say, the most telling first."""
    tally = view.tally
    facts = [f"{tally.ended:,} of {tally.planned:,}"]
    if tally.counts[State.FAILED]:
        facts.append(f"{tally.counts[State.FAILED]:,} failed")
    if rate > 0:
        facts.append(f"{duration((tally.planned - tally.ended) / rate)} left")
        facts.append(f"{rate:.1f} images/s")
    facts.append(f"{view.in_flight.taken:,} in flight")
    facts.append(f"{tally.charged:,} credits")
    if tally.faces:
        facts.append(f"{tally.faces:,} faces")
    return facts


def duration(seconds: float) -> str:
    """Return `seconds` in words that people read: 0.3 s, 42 s, 3 min 05 s, 2 h 10 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
