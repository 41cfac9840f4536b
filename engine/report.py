"""Outcomes to text: the table that ends a command, a status, an estimate. Builds what to print; prints nothing."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from engine.pipeline.cancel import Cancelled
from engine.pipeline.estimate import Estimate
from engine.pipeline.quotes import Quoted
from engine.pipeline.recover import Recovered
from engine.pipeline.summary import Summary
from engine.pipeline.verify import Bad, Verified
from engine.progress import duration

__all__ = ["cancelled_table", "estimate_table", "recovered_table", "summary_table", "verified_table"]

_MAX_REASONS = 8
_LOCAL, _SIMULATED = " (local: free)", " (simulated: nothing was charged)"


def summary_table(summary: Summary, *, is_live: bool = True) -> RenderableType:
    """Return the table that ends a run (or, not `is_live`, shows one from its files)."""
    table = _counts()
    if not summary.planned:
        table.add_row(Text("0", style="bold"), "pictures planned yet")
    else:
        table.add_row(Text(f"{summary.done:,}", style="bold green"), f"done of {summary.planned:,}, in {summary.out}")
    _add(table, summary.failed, "failed", "bold red")
    _add(table, summary.in_flight, _in_flight(summary, is_live=is_live), "yellow")
    _add(table, summary.staged, "of them past their first stage", "")
    _add(table, summary.waiting, "not sent yet", "yellow")
    if summary.faces:
        table.add_row(f"{summary.faces:,}", "faces")
    table.add_row(f"{summary.credits_charged:,}", _credits(summary))
    _add(table, summary.unclear, f"unclear, {summary.adopted} adopted, {summary.resubmitted} sent again", "")
    _add(table, summary.retried, "taken up again after they had failed", "")
    if is_live and summary.seconds:
        rate = f" ({summary.ended_now / summary.seconds:.1f} images/s)" if summary.ended_now else ""
        table.add_row(duration(summary.seconds), f"{summary.requests:,} requests{rate}")
    if summary.refusals and (pace := summary.limits.get("requests_per_s")):
        table.add_row(f"{summary.refusals:,}", f"requests answered 429: slowed to {pace[-1][1]:.0f} a second")
    return Group(table, *_remarks(summary, is_live=is_live))


def _counts() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    return table


def _add(table: Table, count: int, words: str, style: str) -> None:
    if count:
        table.add_row(Text(f"{count:,}", style=style), words)


def _credits(summary: Summary) -> str:
    words = "credit charged" if summary.credits_charged == 1 else "credits charged"
    if summary.is_simulated:
        words += _SIMULATED
    elif summary.backend == "local":
        words += _LOCAL
    return words + (f", {summary.credits_reserved} reserved" if summary.credits_reserved else "")


def _in_flight(summary: Summary, *, is_live: bool) -> str:
    if not is_live:
        return "in flight"
    if summary.backend == "local":
        return "in flight: a resume picks them up"
    return "in flight: the backend goes on with them, a resume picks them up"


def _remarks(summary: Summary, *, is_live: bool) -> list[RenderableType]:
    remarks: list[RenderableType] = []
    if summary.reasons:
        remarks.append(Text("\nWhy jobs failed:", style="bold"))
        shown = list(summary.reasons.items())[:_MAX_REASONS]
        remarks += [Text(f"  {count:>5,}  {reason}") for reason, count in shown]
        remarks.append(Text(f"  Each one: {summary.run}/results.jsonl", style="dim"))
    remarks += [Text(f"Note: {note}", style="yellow") for note in summary.notes]
    if summary.stopped:
        remarks.append(Text(f"\nStopped: {summary.message or summary.stopped}", style="bold yellow"))
    if summary.stopped or summary.done + summary.failed < summary.planned:
        when = "Go on with" if is_live else "Unless it is running, go on with"
        remarks.append(Text(f"{when}: face-recovery resume {shlex.quote(summary.run)}", style="bold"))
    return remarks


def estimate_table(estimate: Estimate, asked: Quoted | None = None) -> RenderableType:
    """Return what a run over the inputs would cost; `asked`: what the backend itself says of it."""
    table = _counts()
    table.add_row(f"{estimate.images:,}", f"pictures, {_rounded(estimate.input_bytes / 1e6)} MB to upload")
    table.add_row(_rounded(estimate.output_megapixels), "megapixels come out")
    table.add_row(
        Text(f"{estimate.credits:,}", style="bold"), "credits at the vendor's price; free with --backend local"
    )
    if estimate.urls:
        table.add_row(f"{estimate.urls:,}", "of them on the web: priced at 1 credit, their size is known once fetched")
    if asked is not None:
        _add_asked(table, asked)
    _add(table, estimate.refused, "can't be restored:", "bold red")
    shown = [*estimate.reasons.items(), *(asked.refused.items() if asked is not None else ())][:_MAX_REASONS]
    return Group(table, *(Text(f"  {count:>5,}  {reason}") for reason, count in shown))


def _add_asked(table: Table, asked: Quoted) -> None:
    """Add what the backend says, beside what was computed here."""
    words = f"credits by {asked.backend}'s own word"
    if asked.difference:
        words += f": {abs(asked.difference):,} {'more' if asked.difference > 0 else 'less'} than the price table says"
    table.add_row(
        Text(f"{asked.credits:,}", style="bold"), words + (", web pictures left out" if asked.unknown else "")
    )
    if asked.duration_s:
        words = f"of work there, by its own word; a picture takes {duration(asked.longest_s)} at the longest"
        table.add_row(duration(asked.duration_s), words)
    _add(table, sum(asked.refused.values()), f"would be refused by {asked.backend}:", "bold red")


def verified_table(summary: Summary, counts: Verified, bad: Sequence[Bad], list_file: Path | None) -> RenderableType:
    """Return what a verification found; `bad` are the first of the outputs that are not as they were recorded."""
    table = _counts()
    table.add_row(
        Text(f"{counts.verified:,}", style="bold green"), f"verified of {summary.planned:,}, in {summary.out}"
    )
    _add(table, counts.bad, "not as recorded", "bold red")
    _add(table, summary.failed, "failed, without an output", "yellow")
    _add(table, summary.in_flight + summary.waiting, "not done yet", "yellow")
    lines = [Text(f"  {each.output or f'job {each.job}'}: {each.wrong}, {each.why}", style="red") for each in bad]
    if counts.bad > len(bad):
        where = f"in {list_file}" if list_file is not None else "by --json, or --list FILE"
        lines.append(Text(f"  and {counts.bad - len(bad):,} more: all {where}", style="dim"))
    return Group(table, *lines)


def recovered_table(run: Path, recovered: Recovered) -> RenderableType:
    """Return what a new journal was made of, and how to go on."""
    table = _counts()
    table.add_row(Text(f"{recovered.done:,}", style="bold green"), f"done of {recovered.planned:,}: in place, verified")
    _add(table, recovered.adopted, "adopted: at the backend, under this run's filenames", "yellow")
    _add(table, recovered.waiting, "to be sent: nothing was found of them", "yellow")
    _add(table, recovered.unplanned, "at the backend under this run's filenames, but not in its plan", "")
    _add(table, recovered.in_the_way, "files have the name of an output and are none: move them away first", "bold red")
    lines: list[RenderableType] = [Text(f"  {each}", style="red") for each in recovered.such]
    if recovered.kept:
        lines.append(Text(f"The old journal is kept as {recovered.kept}", style="dim"))
    return Group(table, *lines, Text(f"Go on with: face-recovery resume {shlex.quote(str(run))}", style="bold"))


def cancelled_table(summary: Summary, cancelled: Cancelled) -> RenderableType:
    """Return what became of a run's jobs in flight."""
    table = _counts()
    table.add_row(Text(f"{cancelled.cancelled:,}", style="bold"), f"cancelled of {cancelled.in_flight:,} in flight")
    _add(table, cancelled.too_late, "too late to cancel: a resume fetches them", "yellow")
    _add(table, cancelled.unclear, "unclear still: a resume finds out", "yellow")
    table.add_row(f"{summary.done:,}", f"done of {summary.planned:,}")
    _add(table, summary.failed, "failed, the cancelled ones among them", "")
    _add(table, summary.in_flight, "in flight", "yellow")
    _add(table, summary.waiting, "not sent", "")
    run = shlex.quote(summary.run)
    lines = []
    if summary.in_flight or summary.waiting:
        lines.append(Text(f"Go on with: face-recovery resume {run}", style="bold"))
    if cancelled.cancelled:
        lines.append(Text(f"Send those again with: face-recovery retry-failed {run} --reason cancelled", style="bold"))
    return Group(table, *lines)


def _rounded(number: float) -> str:
    """Return a size with one decimal, or with as many as show that it is not nothing."""
    return f"{number:,.1f}" if number >= 0.1 or not number else f"{number:.1g}"
