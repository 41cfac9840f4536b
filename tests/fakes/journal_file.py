"""A journal file in memory that can be held up and can run out of room."""

import errno
import os
import threading

__all__ = ["ScriptedFile"]

_PATIENCE_S = 20.0


class ScriptedFile:
    """`engine.journal.writer.JournalFile`: keeps each append, unless it is the one that `fails_at` counts, from 0.

    While `hold` is in force an append waits for `release`; `entered` is set once one has begun, `shut` by `close`.
    """

    def __init__(self, *, fails_at: int | None = None, error: Exception | None = None) -> None:
        self.appends: list[bytes] = []
        self.calls = 0
        self.closed = 0
        self.entered = threading.Event()
        self.shut = threading.Event()
        self._fails_at = fails_at
        self._error = error or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._may_go = threading.Event()
        self._may_go.set()

    @property
    def content(self) -> bytes:
        return b"".join(self.appends)

    def hold(self) -> None:
        self._may_go.clear()
        self.entered.clear()

    def release(self) -> None:
        self._may_go.set()

    def append(self, data: bytes) -> None:
        self.calls += 1
        self.entered.set()
        assert self._may_go.wait(_PATIENCE_S), "the test never released the append that it held"
        assert not self.closed, "appended to a closed file"
        if self.calls - 1 == self._fails_at:
            raise self._error
        self.appends.append(data)

    def close(self) -> None:
        self.closed += 1
        self.shut.set()
