"""Files in a service's folder that another user than the service writes: root, by a command beside it.

What is written is the folder owner's, or the service could not read it. The folder may hold whatever that owner laid
there, so root follows no link and gives nothing away but what it has just made. All here blocks.
"""

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

from engine.disk import private
from engine.errors import UsageError

__all__ = ["check_owner", "make_lock", "open_new"]

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def check_owner(folder: Path) -> None:
    """Raise UsageError unless this process can write files that the owner of `folder` can read."""
    if sys.platform == "win32" or os.geteuid() in (0, folder.stat().st_uid):
        return
    try:
        owner = folder.owner()
    except KeyError:  # known to no user database
        owner = f"#{folder.stat().st_uid}"
    raise UsageError(f"{folder} belongs to the user {owner}: run this as that user (`sudo -u {owner} ...`), or as root")


def open_new(path: Path) -> BinaryIO:
    """Make a file that its folder's owner alone can read; what stood there is removed. Raises OSError."""
    path.unlink(missing_ok=True)
    file = os.fdopen(private(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | getattr(os, "O_BINARY", 0)), "wb")
    try:
        _give_to_owner(file.fileno(), path.parent)
    except OSError:
        file.close()
        raise
    return file


def make_lock(lock: Path) -> None:
    """Have the file to lock be the folder owner's: the next to lock it may be that one. Raises OSError."""
    fd = private(lock, os.O_RDWR | os.O_CREAT | _NO_LINK)
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:  # may be a file of elsewhere, to be given away
            raise UsageError(f"{lock} is no lock file of this program's: remove it")
        _give_to_owner(fd, lock.parent)
    finally:
        os.close(fd)


def _give_to_owner(fd: int, folder: Path) -> None:
    # By its descriptor: the path may lead elsewhere by now.
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)
