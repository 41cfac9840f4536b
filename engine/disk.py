"""The file seam: append and sync, publish whole, lock a folder, names as text.

Everything here blocks; callers on the event loop go through a thread. Knows no jobs and no formats.
"""

import contextlib
import errno
import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from engine.errors import MachineError, UsageError

__all__ = [
    "AppendFile",
    "lock_folder",
    "path_of_text",
    "private",
    "publish",
    "publish_new",
    "sync_file",
    "sync_folder",
    "text_of_path",
    "write_part",
    "write_whole",
]


class AppendFile:
    """A file that only grows: `append` returns once the bytes are on disk, or leaves the file as it was.

    `sync=False` skips the fsync, for benchmarks and for files that can be made again.
    """

    def __init__(self, path: Path, *, sync: bool = True) -> None:
        is_new = not path.exists()
        self._sync = sync
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.path = path
        self.size_bytes = os.fstat(self._fd).st_size
        if is_new and sync:
            sync_folder(path.parent)

    def append(self, data: bytes) -> None:
        """Write all of `data` and sync; on failure cut the file back to what it held, and raise OSError.

        A file that is not at its path any more takes nothing: what went there would be lost with the last descriptor.
        """
        try:
            self._check_in_place()
            _write_all(self._fd, data)
            if self._sync:
                _sync_data(self._fd)
        except OSError as error:
            error.filename = error.filename or str(self.path)
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self.size_bytes)
            raise
        self.size_bytes += len(data)

    def _check_in_place(self) -> None:
        there = self.path.stat()
        if not os.path.samestat(there, os.fstat(self._fd)):
            raise FileNotFoundError(errno.ENOENT, "replaced while it was in use", str(self.path))

    def truncate(self, size_bytes: int) -> None:
        os.ftruncate(self._fd, size_bytes)
        if self._sync:
            _sync_data(self._fd)
        self.size_bytes = size_bytes

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


# macOS and Windows have no fdatasync; fsync promises at least as much.
_sync_data = getattr(os, "fdatasync", os.fsync)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_folder(folder: Path) -> None:
    """Make a rename or a new file in `folder` survive a power cut. Does nothing where folders can't be opened."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def publish(part: Path, final: Path, *, sync: bool = True) -> None:
    """Make the finished `part` visible as `final` in one step: sync, rename, sync the folder."""
    if sync:
        sync_file(part)
    part.replace(final)
    if sync:
        sync_folder(final.parent)


_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)


def write_part(part: Path, data: bytes, *, sync: bool = True) -> None:
    """Write `data` to `part`, anew, and sync it; folders that are missing are made."""
    try:
        fd = os.open(part, _NEW_FILE, 0o666)
    except FileNotFoundError:
        part.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(part, _NEW_FILE, 0o666)
    try:
        _write_all(fd, data)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def publish_new(part: Path, final: Path) -> None:
    """Make `part` visible as `final`, never in place of another file: raises FileExistsError, with `part` left.

    Syncs nothing: `part` has to be synced before, and the folder afterwards.
    """
    try:
        os.link(part, final)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this file system: the check and the rename are two steps then
        if os.path.lexists(final):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        part.replace(final)
    else:
        part.unlink()


def sync_file(path: Path) -> None:
    """Make what was written to `path`, by whomever, survive a power cut."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file at `path` by `data`, for its owner's eyes: readers see the old file or the new one whole."""
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)  # what a crash left may be anybody's to read
        with os.fdopen(private(part, _NEW_FILE), "wb") as file:
            file.write(data)
        publish(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def private(path: str | Path, flags: int) -> int:
    """Open as `open` does, its `opener`: a file that is made is its owner's alone, whatever the umask."""
    return os.open(path, flags, 0o600)


@contextlib.contextmanager
def lock_folder(folder: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold `folder/lock` for as long as the block runs; the lock dies with the process.

    Raises UsageError when another process still holds it after `wait_s` seconds.
    """
    lock = FileLock(folder / "lock", mode=0o600)
    try:
        lock.acquire(timeout=wait_s)
    except Timeout:
        raise UsageError(f"{folder} is in use by another process: wait for it or stop it first") from None
    except OSError as error:
        raise MachineError(f"{folder} can't be locked: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


def text_of_path(path: Path) -> str:
    """Return `path` as text that JSON can carry: itself, or a `file:` URI when its bytes are no valid UTF-8."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return "file://" + urllib.parse.quote_from_bytes(os.fsencode(path))
    return text


def path_of_text(text: str) -> Path:
    """Undo `text_of_path`."""
    if text.startswith("file://"):
        return Path(os.fsdecode(urllib.parse.unquote_to_bytes(text.removeprefix("file://"))))
    return Path(text)
