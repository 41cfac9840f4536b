"""Progress of what is merely gone through: one line that grows on a terminal, a line now and then elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

__all__ = ["counting"]

_REFRESH_S = 0.25
_LINE_EVERY_S = 10.0
_BAR_COLUMNS = 30


@contextlib.contextmanager
def counting(console: Console | None, total: int, words: str) -> Iterator[Callable[[int], None]]:
    """Yield what is to be told how many of `total` there are by now; `words` say of what. None shows nothing.

    A screen that is gone ends the progress and nothing else.
    """
    if console is None:
        yield lambda _count: None
    elif not console.is_terminal:
        yield _seldom(_LINE_EVERY_S, lambda count: console.print(f"{count:,} of {total:,} {words}"))
    else:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield _seldom(_REFRESH_S, lambda count: live.update(_bar(count, total, words), refresh=True))


def _seldom(every_s: float, show: Callable[[int], None]) -> Callable[[int], None]:
    shown_at = time.monotonic()

    def tell(count: int) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= every_s:
            shown_at = time.monotonic()
            with contextlib.suppress(OSError):
                show(count)

    return tell


def _bar(count: int, total: int, words: str) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(f"{count:,}/{total:,}", ProgressBar(total=max(1, total), completed=count, width=_BAR_COLUMNS), words)
    return grid
