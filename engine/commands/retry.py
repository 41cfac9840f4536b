"""`retry-failed`: put failed jobs back, then carry the run out as a resume does."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.commands.restore import Manner, Output, resume
from engine.commands.terminal import print_json, print_line
from engine.pipeline.failures import read_failures
from engine.pipeline.inspection import look
from engine.pipeline.opening import Opened, reopened
from engine.pipeline.order import Order
from engine.pipeline.retry import Retried, retry
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.visit import Visit

__all__ = ["retry_failed"]

_SHOWN = 5


def retry_failed(run: Path, reason: str, settings: Mapping[str, Any], output: Output, manner: Manner) -> int:
    """Take up the failed jobs of `run` whose reason contains `reason`; return the exit code of the resume, or 0."""
    folder = RunFolder.find(run.absolute())
    tally, summary = look(folder, Order.load(folder.order))
    if not read_failures(folder.journal, tally, reason):
        message = "no job failed" if not summary.failed else f"no job failed with '{reason}' in its reason"
        if output.is_json:
            print_json({**summary.record(), "exit_code": 0, "message": message})
        else:
            print_line(f"{message}: nothing to retry")
        return 0

    async def put_back(visit: Visit) -> tuple[Opened, tuple[str, ...]]:
        retried = await retry(visit, reason)
        return await asyncio.to_thread(reopened, visit.opened), _notes(retried)

    return resume(run, settings, output, replace(manner, before=put_back))


def _notes(retried: Retried) -> tuple[str, ...]:
    words = f"of {retried.failed:,} failed jobs {retried.sent_anew:,} were sent anew"
    if retried.fetched:
        words += f", {retried.fetched:,} were at the backend still, paid, and asked for again"
    if not retried.left:
        return (words,)
    left = [f"{count:,} fail still: {reason}" for reason, count in retried.left.most_common(_SHOWN)]
    return (f"{words}, {retried.left.total():,} were left as they are", *left)
