"""`status`, `estimate` and `journal show`: they read and add up, and change nothing."""

from datetime import datetime
from pathlib import Path
from typing import Any

from engine.commands.restore import sizing
from engine.commands.terminal import print_json, print_line, results
from engine.errors import UsageError
from engine.inputs.folder import Globs
from engine.inputs.naming import Namer
from engine.inputs.scan import Sources, candidates, check_inputs, scan
from engine.journal.line import encode
from engine.journal.replay import Reading, read
from engine.pipeline.estimate import estimate as add_up
from engine.pipeline.inspection import inspect
from engine.pipeline.run_folder import RunFolder
from engine.report import estimate_table, summary_table
from engine.settings import load_parameters

__all__ = ["Globs", "estimate", "show_journal", "status"]


def status(run: Path, *, is_json: bool) -> None:
    """Show how far a run is, from its files, whether or not it is running."""
    summary = inspect(RunFolder.find(run.absolute()))
    if is_json:
        print_json(summary.record())
    else:
        results().print(summary_table(summary, is_live=False))


def estimate(
    inputs: list[str],
    globs: Globs,
    *,
    sizes: dict[str, str | None],
    scale: str | None,
    config: Path | None,
    is_json: bool,
) -> None:
    """Price a run over `inputs` from the pictures' headers."""
    sized = sizing(load_parameters(sizes, config), scale)
    check_inputs(inputs)
    found = candidates(inputs, globs, ())
    sums = add_up(scan(found, sized, Namer(sized.parameters.output_format), Sources()), sized)
    if not sums.images and not sums.refused:
        raise UsageError(f"no pictures in {', '.join(inputs)}: JPEG, PNG and TIFF are supported")
    if is_json:
        print_json(sums.record())
    else:
        results().print(estimate_table(sums))


def show_journal(run: Path, job: int | None, *, is_raw: bool) -> None:
    """Print the events of a run, all or of one job; damage is told at the end, on standard error."""
    reading, shown = Reading(), 0
    for record in read(RunFolder.find(run.absolute()).journal, reading):
        if job is None or record.get("job") == job:
            print_line(_raw(record) if is_raw else _line(record))
            shown += 1
    if job is not None and not shown:
        print_line(f"the journal says nothing of job {job} yet", is_error=True)
    if not reading.is_whole:
        print_line(f"{reading.damaged_lines} damaged lines, {reading.torn_bytes} torn bytes at the end", is_error=True)


def _raw(record: dict[str, Any]) -> str:
    return encode({name: value for name, value in record.items() if name != "crc"}).decode().rstrip()


def _line(record: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(record.get("at", 0.0)).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    facts = [f"{name}={_short(value)}" for name, value in record.items() if name not in ("at", "job", "event", "crc")]
    return f"{when}  {record.get('job', '')!s:>7}  {record.get('event', ''):<11} {' '.join(facts)}"


def _short(value: object) -> str:
    text = "".join(each if each.isprintable() else repr(each)[1:-1] for each in str(value))
    return text if len(text) <= 80 else f"{text[:38]}…{text[-38:]}"
