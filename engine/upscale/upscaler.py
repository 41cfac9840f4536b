"""The door to upscaling: `Upscaler(...).enhance(source, target, options, on_progress)`.

Importing this needs no library of the extra `enhance`; making an `Upscaler` does. The steps are in `flow`.
"""

from collections.abc import Callable
from pathlib import Path

from engine.errors import MissingExtra
from engine.upscale.options import Enhanced, Options

__all__ = ["Enhanced", "Options", "Upscaler"]


class Upscaler:
    """The network, loaded once; `enhance` may be called from several threads.

    `threads` are those of one network run. `time_limit_s`: a picture that would take longer is refused as soon as
    that is clear, after its first tile in most cases. Raises MissingExtra if the libraries of the extra `enhance` are
    not installed.
    """

    def __init__(self, *, threads: int = 1, time_limit_s: float | None = None) -> None:
        try:
            from engine.upscale.flow import Flow  # noqa: PLC0415 (the base install has no numpy and ncnn)

            self._flow = Flow(threads=threads, time_limit_s=time_limit_s)
        except ModuleNotFoundError as missing:  # of a library, or of the package that carries the weights
            raise MissingExtra("enhance", "the upscaler") from missing

    def enhance(self, source: Path, target: Path, options: Options, on_progress: Callable[[int], None]) -> Enhanced:
        """Upscale the picture at `source` into a new file at `target`.

        `on_progress` is called with rising percents, 100 last, on the calling thread. A picture that can't be
        upscaled raises InputError, with no file written; trouble with writing raises OSError, too little memory
        MemoryError.

        It takes long: about 300 s for each megapixel of the input on one core of 2.6 GHz with AVX-512 (200 s where
        one tile of 152 px holds the picture), whatever the size of the output. An output that is no larger than the
        input needs no network and takes a moment.
        """
        return self._flow.run(source, target, options, on_progress)
