"""The named keys of a service, `keys.json` in its folder: read whole, written whole, by one writer at a time.

It holds digests and no key: a key is shown once, when it is made. Safe to change beside a running service, which looks
at it every second (`engine.service.keyring`) and must be able to read it: the file is the folder owner's, whoever
writes it, and nobody but that owner and root may. All here blocks.
"""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import orjson
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.disk import publish
from engine.errors import MachineError, UsageError
from engine.service.folder_owner import check_owner, make_lock, open_new
from engine.service.key import Key, KeyLimits, digest_of

__all__ = ["KEYS_NAME", "KeyFile", "LimitEntries", "NamedKey", "read_keys"]

KEYS_NAME = "keys.json"
_LOCK_WAIT_S = 10.0  # another `keys` command takes a moment only
_PREFIX = "fr_"  # so that a key is known as one where it turns up
_MAX_NAME_CHARS = 64


class LimitEntries(BaseModel):
    """Limits of one key: those that are set here are its own, null for no limit; the others are the service's."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    rate_per_s: Annotated[float, Field(gt=0)] | None = None
    burst: Annotated[float, Field(ge=1)] | None = None
    max_unfinished_jobs: Annotated[int, Field(ge=1)] | None = None
    max_stored_bytes: Annotated[int, Field(ge=1)] | None = None

    def over(self, defaults: KeyLimits) -> KeyLimits:
        """Return `defaults` with what is set here in their place. Another rate comes with its own burst."""
        if "rate_per_s" in self.model_fields_set:
            defaults = replace(defaults, burst=None)
        return replace(defaults, **{name: getattr(self, name) for name in self.model_fields_set})


class NamedKey(BaseModel):
    """One entry of the file; `created` is Unix time."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: Annotated[str, Field(pattern=r"^[0-9a-z]{1,32}$")]
    name: Annotated[str, Field(pattern=rf"^[^\x00-\x1f\x7f]{{1,{_MAX_NAME_CHARS}}}$")]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", repr=False)]
    credits: Annotated[int, Field(ge=0)] | None = None
    limits: LimitEntries = LimitEntries()
    suspended: bool = False
    created: float

    def key(self, defaults: KeyLimits) -> Key:
        return Key(
            id=self.id,
            name=self.name,
            digest=bytes.fromhex(self.digest),
            credits=self.credits,
            limits=self.limits.over(defaults),
            is_suspended=self.suspended,
        )


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[NamedKey, ...] = ()


def read_keys(folder: Path) -> tuple[NamedKey, ...]:
    """Return the named keys of the service in `folder`, none where it has no file; raises UsageError for a bad one."""
    path = folder / KEYS_NAME
    try:
        return _File.model_validate_json(path.read_bytes()).keys
    except FileNotFoundError:
        return ()
    except ValidationError as error:
        item = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, item["loc"])) or "the file"
        raise UsageError(f"{path} is damaged: {where}: {item['msg']}") from None
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Changes to the keys of the service in `folder`; each is on the disk when it returns.

    All raise UsageError for a key that is not there, a file that another one keeps changing, or a folder of another
    user, and MachineError where the folder can't be written.
    """

    folder: Path

    def add(self, name: str, now: float, *, credits: int | None = None, limits: LimitEntries) -> tuple[NamedKey, str]:  # noqa: A002 -- the domain's word
        """Make a key and return it with its text, which is kept nowhere."""
        self._make_folder()
        text = _PREFIX + secrets.token_urlsafe(24)
        with self._changing() as keys:
            if any(key.name == name for key in keys):
                raise UsageError(f"there is a key with the name '{name}' already: take another one")
            try:
                made = NamedKey(
                    id=secrets.token_hex(6),
                    name=name,
                    digest=digest_of(text).hex(),
                    credits=credits,
                    limits=limits,
                    created=now,
                )
            except ValidationError:
                raise UsageError(f"a key's name is 1 to {_MAX_NAME_CHARS} printable characters") from None
            keys.append(made)
        return made, text

    def change(self, key_id: str, change: Callable[[NamedKey], NamedKey]) -> NamedKey:
        """Put what `change` makes of a key in its place, and return that."""
        with self._changing() as keys:
            index = _index(keys, key_id)
            keys[index] = change(keys[index])
            return keys[index]

    def suspend(self, key_id: str) -> NamedKey:
        """Have a key answered 403 until it is resumed; what it has sent goes on."""
        return self.change(key_id, lambda key: key.model_copy(update={"suspended": True}))

    def resume(self, key_id: str) -> NamedKey:
        return self.change(key_id, lambda key: key.model_copy(update={"suspended": False}))

    def revoke(self, key_id: str) -> NamedKey:
        """Remove a key for good and return what it was. Its jobs end, and are deleted when their time has come."""
        with self._changing() as keys:
            return keys.pop(_index(keys, key_id))

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise MachineError(f"{self.folder} can't be made: {error.strerror or error}") from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[NamedKey]]:
        """Yield the keys, to be changed; they are written once the block has ended well."""
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder} is no folder of a service")
        lock = self.folder / f"{KEYS_NAME}.lock"  # not the lock of the folder: a running service holds that
        try:
            check_owner(self.folder)
            make_lock(lock)
            with FileLock(lock, timeout=_LOCK_WAIT_S, mode=0o600):
                keys = list(read_keys(self.folder))
                yield keys
                _write(self.folder / KEYS_NAME, keys)
        except Timeout:
            raise UsageError(f"{self.folder / KEYS_NAME} is being changed by another command: try again") from None
        except OSError as error:
            raise MachineError(f"{self.folder / KEYS_NAME} can't be written: {error.strerror or error}") from error


def _index(keys: list[NamedKey], key_id: str) -> int:
    for index, key in enumerate(keys):
        if key.id == key_id:
            return index
    raise UsageError(f"there is no key with the id '{key_id}': `keys list` shows them")


def _write(path: Path, keys: list[NamedKey]) -> None:
    # exclude_unset: a limit that is not set is the service's, one that is null is none.
    entries = [key.model_dump(mode="json", exclude_unset=True) for key in keys]
    part = path.with_name(path.name + ".part")
    try:
        with open_new(part) as file:
            file.write(orjson.dumps({"keys": entries}, option=orjson.OPT_INDENT_2) + b"\n")
        publish(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
