"""`demo`: damage a public-domain portrait in several ways, restore it for real, draw a before/after sheet."""

from pathlib import Path

__all__ = ["demo"]


def demo(out: Path) -> int:
    """Make, restore and draw everything in `out`; return the exit code of the restoration."""
    raise NotImplementedError(out)
