"""`status` and `estimate`: they read and add up, and change nothing."""

from pathlib import Path

from engine.commands.restore import sizing
from engine.commands.terminal import print_json, results
from engine.errors import UsageError
from engine.inputs.folder import Globs
from engine.inputs.naming import Namer
from engine.inputs.scan import Sources, candidates, check_inputs, scan
from engine.pipeline.estimate import estimate as add_up
from engine.pipeline.inspection import inspect
from engine.pipeline.run_folder import RunFolder
from engine.report import estimate_table, summary_table
from engine.settings import load_parameters

__all__ = ["Globs", "estimate", "status"]


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
