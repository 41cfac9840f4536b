"""What speaks for a job when the journal does not: its output in place, or a row at the backend."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from engine.disk import path_of_text, text_of_path
from engine.job.outcome import Outcome
from engine.job.spec import JobSpec
from engine.job.stage import StageEnd
from engine.job.state import Event
from engine.job.tally import OpenJob
from engine.journal.line import Record
from engine.pipeline.found import Found
from engine.pipeline.opening import Opened
from engine.pipeline.seal import Expected, Sealed, recognise
from engine.pipeline.second_look import SecondLook, is_taken

__all__ = ["Evidence", "Proof", "adoption"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """`events`: what the journal would say; none for a job that nothing is known of. `in_the_way`: a path."""

    events: list[Record] = field(default_factory=list)
    is_done: bool = False
    in_the_way: str = ""

    @property
    def is_adopted(self) -> bool:
        return bool(self.events) and not self.is_done


class Evidence:
    """Looks at one job after the other; `of` may be called from several threads."""

    def __init__(self, opened: Opened, found: Mapping[int, Found]) -> None:
        self._order = opened.order
        self._stages = 1 if opened.order.then is None else 2
        self._found = found
        self._second_look = SecondLook(opened.order, opened.folder, opened.past.tally)

    def placed(self, spec: JobSpec) -> JobSpec:
        """Return `spec` with a place for its output if it was refused and yet sent, so retried: as the retry chose it.

        To be called in the plan's order, in one thread.
        """
        if spec.reason and spec.number in self._found:
            return replace(spec, reason="", output=self._second_look.place(spec), credits=1)
        return spec

    def of(self, spec: JobSpec) -> Proof:
        """Return what there is for the job of `spec`, as `placed` returned it. Blocks."""
        found = self._found.get(spec.number)
        if spec.reason:
            return Proof()
        final = self._order.out / path_of_text(spec.output)
        sealed = self._in_place(spec, final, found)
        if sealed is not None:
            return Proof(events=[_done(spec, sealed, found)], is_done=True)
        there = is_taken(final)
        in_the_way = text_of_path(there) if there is not None else ""
        return Proof(events=adoption(spec, found) if found is not None else [], in_the_way=in_the_way)

    def _in_place(self, spec: JobSpec, final: Path, found: Found | None) -> Sealed | None:
        """Return the verified output at `final`: of the size that was planned, and not the input itself."""
        if spec.width:
            expected = Expected(*self._order.sizing.output_size(spec.width, spec.height))
        elif found is not None and found.row.output_width and found.stage == self._stages:
            expected = Expected(found.row.output_width, found.row.output_height, found.row.output_bytes)
        else:  # on the web: nobody knows how large it should be before it is fetched
            return None
        sealed = recognise(final, expected)
        return None if sealed is not None and _is_input(spec, sealed) else sealed


def _is_input(spec: JobSpec, sealed: Sealed) -> bool:
    if spec.is_url or spec.size_bytes != sealed.size_bytes:
        return False
    try:
        with path_of_text(spec.source).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sealed.sha256
    except OSError:  # gone since: nothing to compare with
        return False


def _done(spec: JobSpec, sealed: Sealed, found: Found | None) -> Record:
    row = found.row if found is not None else None
    outcome = Outcome(
        number=spec.number,
        source=spec.source,
        output=spec.output,
        process_id=row.process_id if row is not None else "",
        credits=(row.credits if row is not None and not spec.then_credits else 0) or spec.credits,
        faces=_faces(found),
        output_sha256=sealed.sha256,
        output_bytes=sealed.size_bytes,
        output_width=sealed.width,
        output_height=sealed.height,
        stages=_ends(spec, found),
    )
    return {"job": spec.number, "event": Event.DONE.value, **outcome.members()}


def _faces(found: Found | None) -> int | None:
    rows = (found.first, found.row) if found is not None else ()
    return next((row.faces for row in rows if row is not None and row.faces is not None), None)


def _ends(spec: JobSpec, found: Found | None) -> tuple[StageEnd, ...]:
    """Return the two stages of a chained job, as far as its rows say how they ended."""
    if found is None or found.stage == 1:
        return ()
    then_credits = found.row.credits or spec.then_credits
    second = StageEnd(process_id=found.row.process_id, credits=then_credits, warnings=found.row.warnings)
    return _first_stage(spec, found, None), second


def adoption(spec: JobSpec, found: Found, job: OpenJob | None = None) -> list[Record]:
    """Return what the journal has to be told of a placed job whose row was `found` though it had no intent.

    `job`: what the journal knows of it all the same, where it has lost the second stage alone.
    """
    again = {"generation": found.generation, "output": spec.output} if found.generation else {}
    unclear = {"job": spec.number, "event": Event.UNCLEAR.value, "reason": "its intent was lost with the journal"}
    accepted = {"process_id": found.row.process_id, "eta": found.row.eta, "credits": spec.credits, "adopted": True}
    records = [{**unclear, **again}, {"job": spec.number, "event": Event.ACCEPTED.value, **accepted}]
    if found.stage == 1:
        return records
    records[1]["credits"] = max(1, spec.then_credits)
    if job is not None and job.staged is not None:
        return records
    staged = {"credits": max(1, spec.then_credits), "staged": _first_stage(spec, found, job).record()}
    return [{"job": spec.number, "event": Event.STAGED.value, **staged}, *records]


def _first_stage(spec: JobSpec, found: Found, job: OpenJob | None) -> StageEnd:
    """Return how the first stage of a job ended whose second one was found, as far as anybody knows."""
    row, known = found.first, job.process_id if job is not None else ""
    return StageEnd(
        process_id=known or (row.process_id if row is not None else ""),
        credits=(row.credits if row is not None else 0) or spec.credits - spec.then_credits,
        attempts=job.attempts if job is not None else 0,
        faces=row.faces if row is not None else None,
        warnings=row.warnings if row is not None else (),
    )
