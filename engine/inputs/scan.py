"""From what the user typed to plan lines: a stream, nothing kept but 64 bits for each source and each output name.

Shared by `restore`, which freezes the lines in a plan, and `estimate`, which only adds them up.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from engine.disk import text_of_path
from engine.errors import InputError, UsageError
from engine.inputs.candidate import Candidate
from engine.inputs.folder import Globs, walk
from engine.inputs.naming import Namer
from engine.inputs.text_list import is_list, read_list, url_candidate
from engine.job.enhance import Enhance, OutputFormat, enhanced_size
from engine.job.parameters import FaceRecovery
from engine.job.price import credits_for
from engine.job.spec import JobSpec
from engine.limits import MAX_PIXELS, MAX_SIDE_PX, output_size
from engine.picture import Header, read_header

__all__ = ["Sizing", "Sources", "candidates", "check_inputs", "scan", "with_header"]


@dataclass(frozen=True, slots=True)
class Sizing:
    """How large outputs come out: by the parameters, or `scale` times the input's width and height.

    With a second stage, `then`, its parameters say so; the first one keeps the input's size.
    """

    parameters: FaceRecovery
    scale: float | None = None
    then: Enhance | None = None

    @property
    def output_format(self) -> OutputFormat:
        """The format of the outputs."""
        return (self.then or self.parameters).output_format

    def output_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the output's (width, height) in pixels; raises InputError beyond what the model makes."""
        if self.scale is not None:
            size = max(1, round(width * self.scale)), max(1, round(height * self.scale))
        elif self.then is not None:
            size = enhanced_size(width, height, self.then)
        else:
            size = output_size(width, height, self.parameters.output_width, self.parameters.output_height)
        if max(size) > MAX_SIDE_PX or size[0] * size[1] > MAX_PIXELS:
            raise InputError(
                f"would come out as {size[0]} x {size[1]} pixels; the limits are {MAX_SIDE_PX:,} a side "
                f"and {MAX_PIXELS // 10**6} megapixels"
            )
        return size

    def prices(self, width: int, height: int, size: tuple[int, int]) -> tuple[int, int]:
        """Return the credits for one input whose output is of `size`: for all stages, and for the second one of them.

        What the vendor asks for its upscaler is not at hand: the same is taken, by the megapixels that come out.
        """
        price = credits_for(*size)
        return (credits_for(width, height) + price, price) if self.then is not None else (price, 0)


def check_inputs(inputs: Sequence[str]) -> None:
    """Raise UsageError for an input that is not there at all, before anything is started."""
    for text in inputs:
        if not text:
            raise UsageError("an INPUT is empty: INPUT is a file, a folder, a .txt list or a URL")
        if not text.startswith(("http://", "https://")):
            _check_path(Path(text))


def _check_path(path: Path) -> None:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path} does not exist: INPUT is a file, a folder, a .txt list or a URL") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    if is_list(path) and not os.access(path, os.R_OK):
        raise UsageError(f"{path} can't be read, nor the pictures in it")


def candidates(inputs: Sequence[str], globs: Globs, without: tuple[Path, ...]) -> Iterator[Candidate]:
    """Yield whatever `inputs` name, in order."""
    for text in inputs:
        path = Path(text)
        if text.startswith(("http://", "https://")):
            yield url_candidate(text)
        elif os.path.isdir(path):  # noqa: PTH112 -- Path.is_dir raises where a folder above may not be entered
            yield from walk(path, globs, without)
        elif is_list(path):
            yield from read_list(path)
        else:
            yield Candidate(path=path, place=PurePath(path.name))


class Sources:
    """Which inputs have been seen: 64 bits each."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def take(self, source: str) -> bool:
        """Say whether `source` is new, and remember it."""
        key = int.from_bytes(hashlib.blake2b(source.encode(), digest_size=8).digest(), "big")
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def scan(
    found: Iterator[Candidate], sizing: Sizing, namer: Namer, sources: Sources, *, first_number: int = 0
) -> Iterator[JobSpec]:
    """Yield one plan line for each candidate whose source is new, refused ones with their reason."""
    number = first_number
    for candidate in found:
        source = candidate.url or text_of_path(Path(candidate.path or "").absolute())
        if sources.take(source):
            yield _spec(number, source, candidate, sizing, namer)
            number += 1


def _spec(number: int, source: str, candidate: Candidate, sizing: Sizing, namer: Namer) -> JobSpec:
    refused = JobSpec(number=number, source=source, output="", reason=candidate.problem)
    if candidate.problem:
        return refused
    if candidate.path is None:
        # Its size is known only once fetched; it is priced then.
        price, later = sizing.prices(1, 1, (1, 1))
        return replace(refused, output=_named(namer, candidate), credits=price, then_credits=later)
    try:
        sized = with_header(refused, read_header(candidate.path), sizing)
    except InputError as error:
        return replace(refused, reason=str(error))
    return replace(sized, output=_named(namer, candidate))


def with_header(spec: JobSpec, header: Header, sizing: Sizing) -> JobSpec:
    """Return `spec` with what the picture's header adds: format, sizes, price; raises InputError beyond the limits."""
    size = sizing.output_size(header.width, header.height)
    width, height = size if sizing.scale is not None else (None, None)
    price, later = sizing.prices(header.width, header.height, size)
    return replace(
        spec,
        format=header.format,
        size_bytes=header.size_bytes,
        width=header.width,
        height=header.height,
        output_width=width,
        output_height=height,
        credits=price,
        then_credits=later,
    )


def _named(namer: Namer, candidate: Candidate) -> str:
    return text_of_path(Path(namer.name(candidate.place)))
