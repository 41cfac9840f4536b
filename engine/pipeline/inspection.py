"""The state of a run from its files alone, whether or not a process is working on it."""

from engine.job.tally import Tally
from engine.journal.replay import Reading, proven
from engine.pipeline.order import Order
from engine.pipeline.past import replay
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.summary import Summary, summarise

__all__ = ["inspect", "look"]


def inspect(folder: RunFolder, *, stopped: str = "", message: str = "") -> Summary:
    """Return the summary that plan and journal prove; reads only, takes no lock."""
    return look(folder, Order.load(folder.order), stopped=stopped, message=message)[1]


def look(folder: RunFolder, order: Order, *, stopped: str = "", message: str = "") -> tuple[Tally, Summary]:
    """As `inspect`, with the tally that the summary is of."""
    reading = Reading()
    tally, marks, _since = replay(folder, reading)
    tally.grow(marks.planned if marks.planned is not None else _planned(folder))
    summary = summarise(
        tally,
        run_id=order.run_id,
        run=str(folder.path),
        out=str(order.out),
        backend=order.settings.backend,
        is_simulated=marks.is_simulated,
        stopped=stopped,
        message=message,
    )
    return tally, summary


def _planned(folder: RunFolder) -> int:
    reading = Reading()
    for _bodies in proven(folder.plan, reading):
        pass
    return reading.lines
