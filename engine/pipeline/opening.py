"""How a run is opened: anew, once more over the same folder, or resumed. All checks that need no remote happen here."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.clock import SystemClock
from engine.disk import lock_folder
from engine.errors import MachineError, UsageError
from engine.inputs.scan import check_inputs
from engine.job.spec import JobSpec
from engine.journal.line import Record, encode
from engine.pipeline.order import Order
from engine.pipeline.past import Past, load_past, past_of_plan
from engine.pipeline.plan import first_good, scan_order
from engine.pipeline.run_folder import FOLDER_NAME, RunFolder, open_journal
from engine.settings import Settings

__all__ = ["Opened", "begin", "reopened", "resume", "without_journal"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A run whose lock is held. `jobs` are those that the plan does not hold yet; None: the plan is complete."""

    order: Order
    folder: RunFolder
    past: Past
    jobs: Iterator[JobSpec] | None


@contextlib.contextmanager
def begin(order: Order, folder: RunFolder) -> Iterator[Opened]:
    """Open a run over `order`: a new one, or the one already in `folder`, to which new pictures are added.

    Raises UsageError when there is nothing to restore, the output folder can't be written, or the folder holds a
    run with other parameters.
    """
    check_inputs(order.inputs)
    if folder.has_plan:
        with _again(order, folder) as opened:
            yield opened
        return
    past = load_past(order, folder)
    jobs = first_good(scan_order(order, past.known, folder.path), order.inputs)
    _make_folders(order.out, folder.path)
    with lock_folder(folder.path):
        if folder.has_plan:
            raise UsageError(f"{folder.path} was begun by another process just now: repeat the command to join in")
        _save(order, folder)
        yield Opened(order, folder, past, jobs)


@contextlib.contextmanager
def resume(folder: RunFolder, changes: Mapping[str, Any]) -> Iterator[Opened]:
    """Open the run in `folder` again, as its order says, with `changes` to its settings."""
    order = Order.load(folder.order)
    order = replace(order, settings=_changed(order.settings, changes))
    with lock_folder(folder.path):
        past = load_past(order, folder)
        jobs = scan_order(order, past.known, folder.path) if past.marks.planned is None else None
        yield Opened(order, folder, past, jobs)


def reopened(opened: Opened) -> Opened:
    """Return the run as its files prove it now: the holder of the lock has added to the journal."""
    order, folder = opened.order, opened.folder
    past = load_past(order, folder)
    return Opened(order, folder, past, scan_order(order, past.known, folder.path) if opened.jobs is not None else None)


@contextlib.contextmanager
def without_journal(folder: RunFolder) -> Iterator[Opened]:
    """Open the run in `folder` as its plan alone has it, whatever became of its journal."""
    order = Order.load(folder.order)
    if not folder.has_plan:
        raise UsageError(f"{folder.plan} is lost: without the plan nothing can be recovered, begin a new run")
    with lock_folder(folder.path):
        yield Opened(order, folder, past_of_plan(order, folder), None)


@contextlib.contextmanager
def _again(order: Order, folder: RunFolder) -> Iterator[Opened]:
    before = Order.load(folder.order)
    _check_same(before, order, folder.path)
    merged = (*before.inputs, *(text for text in order.inputs if text not in before.inputs))
    order = replace(order, run_id=before.run_id, inputs=merged)
    with lock_folder(folder.path):
        past = load_past(order, folder, is_extended=True)
        if past.marks.planned is not None:
            _extend(order, folder, past)
        _save(order, folder)
        yield Opened(order, folder, past, scan_order(order, past.known, folder.path))


def _extend(order: Order, folder: RunFolder, past: Past) -> None:
    """Make it durable that the plan is to grow: whatever ends this process, the next one looks for new pictures too.

    The run is left as closed as it was.
    """
    at = round(SystemClock().now(), 3)
    planning: Record = {"at": at, "event": "planning"}
    closed: Record = {"at": at, "event": "closed", "reason": "extended", "is_sound": not past.is_suspect}
    lines = [encode(planning), encode(closed)]
    try:
        file = open_journal(folder.journal, past.journal, sync=order.settings.sync)
        try:
            file.append(b"".join(lines))
        finally:
            file.close()
    except OSError as error:
        raise MachineError(f"{folder.journal} can't be written: {error.strerror or error}") from error
    past.journal.lines += len(lines)
    past.journal.sound_bytes += sum(map(len, lines))
    past.marks.apply(planning)
    past.marks.apply(closed)


def _save(order: Order, folder: RunFolder) -> None:
    try:
        order.save(folder.order)
    except OSError as error:
        raise MachineError(f"{folder.order} can't be written: {error.strerror or error}") from error


def _check_same(before: Order, now: Order, path: Path) -> None:
    differences = [
        name
        for name, one, other in (
            ("output folder", before.out, now.out),
            ("parameters", before.sizing, now.sizing),
            ("backend", before.settings.backend, now.settings.backend),
        )
        if one != other
    ]
    if differences:
        raise UsageError(
            f"{path} holds a run that differs in {' and '.join(differences)}: "
            "give --run DIR (and another --out) for a new run, or `face-recovery resume` to finish that one"
        )


def _make_folders(out: Path, run: Path) -> None:
    for folder in (out, run):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700 if folder is run else 0o777)
            if folder is run and folder.name == FOLDER_NAME:  # plan and journal may hold what opens the inputs
                folder.chmod(0o700)
            probe = folder / ".write-test"
            probe.touch()
            probe.unlink()
        except FileExistsError:
            raise UsageError(f"{folder} is a file: name a folder") from None
        except OSError as error:
            raise UsageError(f"{folder} can't be written: {error.strerror or error}") from error


def _changed(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    given = {name: value for name, value in changes.items() if value is not None}
    return Settings.model_validate({**settings.model_dump(), **given})
