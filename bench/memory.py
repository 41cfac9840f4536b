"""What a process holds in memory, as the kernel tells it."""

import os
import resource
import sys
from pathlib import Path

__all__ = ["peak_bytes", "resident_bytes"]


def resident_bytes(process_id: int | None = None) -> int:
    """Return what the process (this one by default) has in memory now; where the system does not tell, its peak."""
    return _read("VmRSS", process_id)


def peak_bytes(process_id: int | None = None) -> int:
    """Return the most that the process (this one by default) has had in memory.

    The peak of getrusage is no substitute on Linux: a child inherits its parent's.
    """
    return _read("VmHWM", process_id)


def _read(name: str, process_id: int | None) -> int:
    status = Path(f"/proc/{process_id or 'self'}/status")
    if not status.exists():
        unit_bytes = 1 if sys.platform == "darwin" else os.sysconf("SC_PAGESIZE")
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes
    lines = (line for line in status.read_text().splitlines() if line.startswith(f"{name}:"))
    return next((int(line.split()[1]) * 1024 for line in lines), 0)  # a process that has just ended has none
