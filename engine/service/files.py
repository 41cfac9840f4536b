"""Where inputs and outputs lie, and how they are handed out.

An output is named by its process id, an input by its source id, both made here: nothing a client sends ever becomes
part of a path.
"""

import contextlib
import datetime
import os
import re
from collections.abc import Callable, Generator
from email.utils import parsedate
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

from engine.service.upload import Upload

if TYPE_CHECKING:
    from engine.service.jobs import Gone, Job

__all__ = ["Files", "StoredFile", "about", "is_date"]

_CONTENT_TYPES = {"jpeg": "image/jpeg", "png": "image/png", "tiff": "image/tiff"}
_SUFFIXES = {"jpeg": "jpg", "png": "png", "tiff": "tif"}
_KINDS = ("inputs", "outputs")
_OWN_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.part)?")
_DATES = (hdrs.IF_MODIFIED_SINCE, hdrs.IF_UNMODIFIED_SINCE)


class Files:
    """The inputs and outputs of one service, 256 folders each so that none grows long."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self) -> None:
        """Make every folder, readable by the owner only. Safe to call again."""
        for kind in _KINDS:
            for number in range(256):
                (self._folder / kind / f"{number:02x}").mkdir(mode=0o700, parents=True, exist_ok=True)

    def incoming(self, source_id: str) -> Upload:
        """Return the place of a picture that is on its way here."""
        return Upload(self.input(source_id), self._stored)

    async def input_file(self, job: "Job") -> web.StreamResponse:
        return StoredFile(self._stored(job, "inputs"), about(job.submission.input_format, job.id))

    async def output_file(self, job: "Job", _request: web.Request) -> web.StreamResponse:
        return StoredFile(self.output(job.id), about(job.submission.output_format, job.id))

    def input(self, source_id: str) -> Path:
        return self._folder / "inputs" / source_id[:2] / source_id

    def output(self, process_id: str) -> Path:
        return self._folder / "outputs" / process_id[:2] / process_id

    def remove(self, gone: "Gone") -> None:
        """Delete what there is of one job; missing files are fine. Blocks."""
        if gone.source_id:
            self.remove_input(gone.source_id)
        self.remove_output(gone.process_id)

    def remove_input(self, source_id: str) -> None:
        """Delete an input that no job uses. Blocks."""
        self.input(source_id).unlink(missing_ok=True)

    def remove_output(self, process_id: str) -> None:
        """Delete what a job made, finished or not. Blocks."""
        self.output(process_id).unlink(missing_ok=True)
        self.output(process_id).with_suffix(".part").unlink(missing_ok=True)

    def sweep(self, is_known: Callable[[str], bool], before: float) -> int:
        """Delete what a crash left behind: files older than `before` that no known job owns. Blocks.

        Only what can be the service's own: somebody may have named a folder with pictures of theirs.
        """
        count = 0
        for path in self._every():
            with contextlib.suppress(FileNotFoundError):  # files come and go meanwhile
                if not is_known(path.stem) and _is_older(path.stat(), before):
                    path.unlink()
                    count += 1
        return count

    def has_any(self) -> bool:
        """Say whether there is any picture here. Blocks."""
        with contextlib.closing(self._every()) as pictures:
            return next(pictures, None) is not None

    def _stored(self, job: "Job", kind: str) -> Path:
        return self.input(job.submission.source_id) if kind == "inputs" else self.output(job.id)

    def _every(self) -> Generator[Path, None, None]:
        """Yield every file whose name and place are of this service's making."""
        for kind in _KINDS:
            for number in range(256):
                with (
                    contextlib.suppress(FileNotFoundError),
                    os.scandir(self._folder / kind / f"{number:02x}") as entries,
                ):
                    for entry in entries:
                        if _OWN_NAME.fullmatch(entry.name) and entry.name.startswith(f"{number:02x}"):
                            yield Path(entry.path)


class StoredFile(web.FileResponse):
    """One stored picture, with Range, If-Range, HEAD and ETag.

    aiohttp reads If-Range as a date only and would continue a download that began with another file; here what is
    neither the current entity tag nor a date drops the Range, so the whole file is sent (RFC 9110, 13.1.5). It also
    stumbles over dates with absurd years; those conditions are ignored, as the RFC says of dates that are none.
    """

    def __init__(self, path: Path, headers: dict[str, str]) -> None:
        super().__init__(path, headers=headers)
        self._stored = path

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return await super().prepare(self._with_sound_conditions(request))

    def _with_sound_conditions(self, request: web.BaseRequest) -> web.BaseRequest:
        dropped = {name for name in _DATES if name in request.headers and not is_date(request.headers[name])}
        tag = request.headers.get(hdrs.IF_RANGE)
        if tag is not None and not is_date(tag):
            dropped |= {hdrs.IF_RANGE} if tag == self._entity_tag() else {hdrs.IF_RANGE, hdrs.RANGE}
        if not dropped:
            return request
        headers = CIMultiDict(
            (name, value.encode("utf-8", "replace").decode())  # `clone` takes no half characters
            for name, value in request.headers.items()
        )
        for name in dropped:
            headers.popall(name, None)
        return request.clone(headers=headers)

    def _entity_tag(self) -> str | None:
        """Return the tag that aiohttp gives the file; None when it is gone."""
        try:
            stat = self._stored.stat()
        except OSError:
            return None
        return f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'


def _is_older(stat: os.stat_result, moment: float) -> bool:
    # What was adopted is as old as the result that it is a second link to; making the link changed the inode, though.
    return max(stat.st_mtime, stat.st_ctime) < moment - 1


def about(format: str, name: str) -> dict[str, str]:  # noqa: A002 - the contract's word
    """Return the headers that say what a picture of `format` is, to be saved under `name`."""
    return {
        hdrs.CONTENT_TYPE: _CONTENT_TYPES[format],
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}.{_SUFFIXES[format]}"',
        hdrs.CACHE_CONTROL: "private, no-transform",
        "X-Content-Type-Options": "nosniff",
    }


def is_date(text: str) -> bool:
    """Say whether aiohttp can make a date of `text`, by the steps that it takes itself."""
    try:
        fields = parsedate(text)
        if fields is not None:
            datetime.datetime(*fields[:6], tzinfo=datetime.UTC)
    except (ArithmeticError, IndexError, TypeError, ValueError):
        return False
    return fields is not None
