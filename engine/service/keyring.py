"""The keys that are let in: the one given by the environment, and the named ones of `keys.json`, as they are now.

That file is looked at once a second at the most, when somebody calls: a key that was added works and a revoked one
stops within that second. Looking is one `stat`; only a file that has changed is read, which for a thousand keys takes
some milliseconds of the event loop.
"""

import hmac
import logging
from collections.abc import Sequence
from pathlib import Path

from engine.clock import Clock
from engine.errors import UsageError
from engine.service.key import OWN, UNLIMITED, Key, KeyLimits, digest_of
from engine.service.key_file import KEYS_NAME, read_keys

__all__ = ["Keyring"]

_log = logging.getLogger(__name__)

_LOOK_S = 1.0

_Signature = tuple[int, int, int] | str


class Keyring:
    """`given`: the keys of whoever started the service, all with the id OWN and `credits`.

    `defaults` are the limits of OWN, and of the named keys as far as they have none of their own. Raises UsageError
    when the file is damaged from the start, or when there is no key at all.
    """

    def __init__(
        self,
        folder: Path,
        given: frozenset[str],
        clock: Clock,
        *,
        defaults: KeyLimits = UNLIMITED,
        credits: int | None = None,  # noqa: A002 -- the domain's word
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._defaults = defaults
        self._given = [
            Key(id=OWN, name="own", digest=digest_of(text), credits=credits, limits=defaults) for text in given
        ]
        self._looked_at_s = clock.monotonic()
        self._seen = self._signature()
        self._complained_of: _Signature | None = None
        self._take(self._read())
        if not self._keys:
            raise UsageError("the service needs at least one API key")

    def __repr__(self) -> str:
        return f"<Keyring of {len(self._given)} given and {len(self._keys) - len(self._given)} named keys>"

    def find(self, text: str) -> Key | None:
        """Return the key that is `text`, suspended or not, or None. The time taken does not tell which came close."""
        self._look()
        digest, found = digest_of(text), None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key  # no early end
        return found

    def get(self, key_id: str) -> Key | None:
        """Return the key with this id, None for one that is no more."""
        self._look()
        return self._by_id.get(key_id)

    @property
    def is_stale(self) -> bool:
        """Whether the file is damaged or can't be read, and the keys are those of an earlier one."""
        self._look()
        return self._complained_of is not None

    def _look(self) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._looked_at_s < _LOOK_S:
            return
        self._looked_at_s = now_s
        signature = self._signature()
        if signature != self._seen:
            self._take_changed(signature)
        else:
            self._complained_of = None  # the file that was read is back

    def _take_changed(self, signature: _Signature) -> None:
        try:
            self._take(self._read())
            self._seen, self._complained_of = signature, None
        except UsageError as error:
            if signature != self._complained_of:
                _log.error("%s; the keys stay as they were: one that was revoked since is let in", error)
            self._complained_of = signature

    def _read(self) -> list[Key]:
        return [entry.key(self._defaults) for entry in read_keys(self._folder)]

    def _take(self, named: Sequence[Key]) -> None:
        self._keys = (*self._given, *named)
        self._by_id = {key.id: key for key in reversed(self._keys)}

    def _signature(self) -> _Signature:
        """Return what tells whether the file has changed."""
        try:
            status = (self._folder / KEYS_NAME).stat()
        except OSError as error:
            return type(error).__name__
        return status.st_mtime_ns, status.st_size, status.st_ino
