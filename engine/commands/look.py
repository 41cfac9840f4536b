"""`status` and `estimate`: they read and add up, ask a backend for its prices if told to, and change nothing."""

import random
from pathlib import Path

from engine.backend import check_backend
from engine.clock import SystemClock
from engine.commands.connection import asking
from engine.commands.event_loop import runner
from engine.commands.sizing import Outputs, sizing
from engine.commands.terminal import print_json, results
from engine.errors import UsageError
from engine.inputs.folder import Globs
from engine.inputs.naming import Namer
from engine.inputs.scan import Sources, candidates, check_inputs, scan
from engine.job.address import shown
from engine.pipeline.estimate import estimate as add_up
from engine.pipeline.inspection import inspect
from engine.pipeline.patience import Patience
from engine.pipeline.quotes import Demand, Quoted, quoted
from engine.pipeline.run_folder import RunFolder
from engine.report import estimate_table, summary_table
from engine.settings import Settings, load_parameters, load_settings

__all__ = ["Globs", "Outputs", "estimate", "status"]


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
    outputs: Outputs,
    backend: str | None = None,
    config: Path | None,
    is_json: bool,
) -> None:
    """Price a run over `inputs` from the pictures' headers; with a `backend` also by asking that, for each size."""
    sized = sizing(load_parameters(sizes, config), outputs)
    if backend is not None:
        _check_asked(backend)
    check_inputs(inputs)
    demand = Demand(sized)
    jobs = scan(candidates(inputs, globs, ()), sized, Namer(sized.output_format), Sources())
    sums = add_up(demand.watch(jobs), sized)
    if not sums.images and not sums.refused:
        raise UsageError(f"no pictures in {', '.join(map(shown, inputs))}: JPEG, PNG and TIFF are supported")
    asked = _asked(backend, demand, load_settings({}, config)) if backend is not None else None
    if is_json:
        print_json({**sums.record(), **({"asked": asked.record()} if asked is not None else {})})
    else:
        results().print(estimate_table(sums, asked))


def _check_asked(backend: str) -> None:
    if backend in ("local", "simulated"):
        raise UsageError(f"--backend {backend}: has no prices to ask for; topaz or a base URL has")
    check_backend(backend)


def _asked(backend: str, demand: Demand, settings: Settings) -> Quoted:
    with runner() as loop:
        return loop.run(_ask(backend, demand, settings))


async def _ask(backend: str, demand: Demand, settings: Settings) -> Quoted:
    clock = SystemClock()
    async with asking(backend, settings, clock) as client:
        patience = Patience(settings.backoff(), clock, random.SystemRandom().random)
        return await quoted(client, demand, backend, patience)
