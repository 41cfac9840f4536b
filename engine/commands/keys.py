"""`keys`: who may call a service, and how much. Works beside a running service, which sees it within a second."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.commands.terminal import print_json, print_line
from engine.errors import UsageError
from engine.service.key_file import KeyFile, LimitEntries, NamedKey, read_keys

__all__ = ["add", "change", "list_keys", "revoke", "set_suspended"]

# What the options are called, and what the file calls that.
_LIMITS = {
    "rate": "rate_per_s",
    "burst": "burst",
    "max_jobs": "max_unfinished_jobs",
    "max_bytes": "max_stored_bytes",
}
_HEADS = ("ID", "NAME", "STATE", "CREDITS", "CALLS/S", "BURST", "JOBS", "BYTES", "MADE")


def add(folder: Path, name: str, options: Mapping[str, str | None], *, is_json: bool) -> None:
    """Make a key and print it; `options` as for `change`."""
    limits = _changed(LimitEntries(), options)
    credits_granted = _credits(options["credits"], None)
    made, text = KeyFile(folder).add(name, time.time(), credits=credits_granted, limits=limits)
    if is_json:
        print_json({**_members(made), "key": text})
        return
    print_line(f"made the key {made.id} of {made.name}; it is shown this once and kept nowhere:")
    print_line(text)


def list_keys(folder: Path, *, is_json: bool) -> None:
    """Print all keys, never their text."""
    keys = read_keys(folder)
    if is_json:
        print_json({"keys": [_members(key) for key in keys]})
        return
    if not keys:
        print_line(f"no named key in {folder}: `keys add NAME` makes one")
        return
    rows = [_HEADS, *(_row(key) for key in keys)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def set_suspended(folder: Path, key_id: str, *, is_suspended: bool, is_json: bool) -> None:
    """Have a key refused until it is resumed, or let it in again."""
    file = KeyFile(folder)
    key = file.suspend(key_id) if is_suspended else file.resume(key_id)
    _tell(key, "is suspended: its calls are answered 403" if is_suspended else "is let in again", is_json=is_json)


def revoke(folder: Path, key_id: str, *, is_json: bool) -> None:
    """Remove a key for good."""
    _tell(KeyFile(folder).revoke(key_id), "is revoked: its calls are answered 401", is_json=is_json)


def change(folder: Path, key_id: str, options: Mapping[str, str | None], *, is_json: bool) -> None:
    """Change the limits of a key; `options`: a number, `none` for no limit, `default` for the service's, None to leave.

    Raises UsageError naming the option and what is wrong with it.
    """
    if all(value is None for value in options.values()):
        raise UsageError(f"nothing to change: give one of {', '.join(map(_spell, options))}")

    def changed(key: NamedKey) -> NamedKey:
        limits = _changed(key.limits, options)
        return key.model_copy(update={"limits": limits, "credits": _credits(options["credits"], key.credits)})

    _tell(KeyFile(folder).change(key_id, changed), "is changed", is_json=is_json)


def _changed(limits: LimitEntries, options: Mapping[str, str | None]) -> LimitEntries:
    entries: dict[str, Any] = limits.model_dump(exclude_unset=True)
    for option, name in _LIMITS.items():
        match options[option]:
            case None:
                continue
            case "default":
                entries.pop(name, None)
            case value:
                entries[name] = None if value == "none" else value
    try:
        return LimitEntries.model_validate(entries)
    except ValidationError as error:
        item = error.errors()[0]
        option = next(option for option, name in _LIMITS.items() if name == item["loc"][0])
        complaint = item["msg"].removeprefix("Input ")
        raise UsageError(f"{_spell(option)}: {item['input']} {complaint}, or be none or default") from None


def _credits(value: str | None, present: int | None) -> int | None:
    if value is None:
        return present
    if value == "none":
        return None
    if not (value.isascii() and value.isdecimal()):
        raise UsageError(f"--credits: {value} should be a whole number of at least 0, or none")
    return int(value)


def _spell(option: str) -> str:
    return f"--{option.replace('_', '-')}"


def _tell(key: NamedKey, what: str, *, is_json: bool) -> None:
    if is_json:
        print_json(_members(key))
        return
    print_line(f"the key {key.id} of {key.name} {what}")


def _members(key: NamedKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "credits": key.credits,
        "limits": key.limits.model_dump(exclude_unset=True),
        "suspended": key.suspended,
        "created": key.created,
    }


def _row(key: NamedKey) -> tuple[str, ...]:
    limits = key.limits.model_dump(exclude_unset=True)
    told = [_limit(limits[name]) if name in limits else "default" for name in _LIMITS.values()]
    made = datetime.fromtimestamp(key.created, UTC).strftime("%Y-%m-%d")
    state = "suspended" if key.suspended else "active"
    return (key.id, key.name, state, _limit(key.credits), *told, made)


def _limit(value: float | None) -> str:
    return "none" if value is None else f"{value:,.10g}"
