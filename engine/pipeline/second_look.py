"""A second look at a picture that the plan refused: readable by now, it gets a place for its output.

The plan has given it none, so it is placed below the folder it was found in, beside all names that are taken.
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePath

from engine.disk import path_of_text, text_of_path
from engine.errors import InputError
from engine.inputs.naming import Namer
from engine.inputs.scan import with_header
from engine.job.spec import JobSpec
from engine.job.tally import Tally
from engine.journal.replay import read
from engine.picture import read_header
from engine.pipeline.order import Order
from engine.pipeline.plan import Known
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.seal import part_of

__all__ = ["SecondLook", "is_taken"]


@dataclass(slots=True)
class SecondLook:
    """Reads the plan once, when a first picture needs a name."""

    order: Order
    folder: RunFolder
    tally: Tally
    _known: Known | None = None

    def place(self, spec: JobSpec) -> str:
        """Return a name for the output of `spec` that no other job has. Blocks."""
        return text_of_path(Path(self._names().namer.name(_place(spec, self.order))))

    def look(self, spec: JobSpec) -> str:
        """Return where the output of a refused `spec` belongs; raises InputError when it is refused still. Blocks."""
        if spec.is_url:
            raise InputError(spec.reason)
        with_header(spec, read_header(path_of_text(spec.source)), self.order.sizing)
        output = self.place(spec)
        if (there := is_taken(self.order.out / path_of_text(output), with_part=True)) is not None:
            raise InputError(f"has no room for its output: {there} exists and is not this run's; move it away")
        return output

    def _names(self) -> Known:
        if self._known is None:
            self._known = Known(Namer(self.order.sizing.output_format))
            for record in read(self.folder.plan):
                self._known.add(record)
            for again in self.tally.again.values():
                if again.output:
                    self._known.take(again.output)
        return self._known


def _place(spec: JobSpec, order: Order) -> PurePath:
    source = path_of_text(spec.source)
    for text in order.inputs:
        if source != Path(text) and source.is_relative_to(text):
            return source.relative_to(text)
    return PurePath(source.name)


def is_taken(final: Path, *, with_part: bool = False) -> Path | None:
    """Return what lies where an output, or the bytes it is made of, belongs; None when nothing does."""
    return next((path for path in (final, part_of(final))[: 1 + with_part] if os.path.lexists(path)), None)
