"""`recover`: a new journal for a run that has lost its own, from the plan, the backend's listing and the outputs."""

import asyncio
from pathlib import Path

from engine.backend import check_backend
from engine.clock import SystemClock
from engine.commands.connection import connected, visit_of
from engine.commands.counting import counting
from engine.commands.event_loop import runner
from engine.commands.restore import Output
from engine.commands.terminal import print_json, results, screen
from engine.errors import UsageError
from engine.pipeline.opening import Opened, without_journal
from engine.pipeline.recover import find_rows, is_sound, rebuild
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.visit import Found
from engine.report import recovered_table

__all__ = ["recover"]


def recover(run: Path, output: Output, *, is_offline: bool, is_forced: bool) -> int:
    """Rebuild the journal of the run in `run`; raises UsageError when it needs none."""
    folder = RunFolder.find(run.absolute())
    with without_journal(folder) as opened:
        settings = opened.order.settings
        if not is_forced and is_sound(opened):
            raise UsageError(
                f"{folder.journal} is sound: resume the run, or give --force to make the journal anew all the same"
            )
        found: dict[int, Found] = {}
        if not is_offline:
            check_backend(settings.backend, settings.simulation)
            with runner() as loop:
                found = loop.run(_look(opened))
        with counting(None if output.is_quiet else screen(), opened.past.jobs, "jobs looked for") as tell:
            recovered = rebuild(opened, found, SystemClock(), tell)
    if output.is_json:
        print_json({"run_id": opened.order.run_id, "run": str(folder.path), **recovered.record(), "exit_code": 0})
    else:
        results().print(recovered_table(folder.path, recovered))
    return 0


async def _look(opened: Opened) -> dict[int, Found]:
    async with connected(opened) as (endpoint, transport):
        return await asyncio.create_task(find_rows(visit_of(opened, endpoint, transport)))
