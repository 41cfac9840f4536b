"""Commands for whoever runs a service: who may call it, and how much."""
# ruff: noqa: PLC0415 -- a command imports what it needs when it runs, so that --help is quick

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import options
from engine.cli.care import app

__all__ = ["app"]

keys = typer.Typer(help="Say who may call a service of yours (`serve`), and how much.", no_args_is_help=True)
app.add_typer(keys, name="keys")

Folder = Annotated[Path, typer.Option("--folder", metavar="DIR", parser=options.folder, help="The service's folder.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")]
Credits = Annotated[
    str | None, typer.Option("--credits", metavar="N|none", help="All that it may ever spend; none: no limit.")
]
Rate = Annotated[str | None, typer.Option("--rate", metavar="N|none|default", help="Calls a second.")]
Burst = Annotated[
    str | None, typer.Option("--burst", metavar="N|none|default", help="Calls at once; none: one second's worth.")
]
MaxJobs = Annotated[str | None, typer.Option("--max-jobs", metavar="N|none|default", help="Unfinished jobs at once.")]
MaxBytes = Annotated[
    str | None, typer.Option("--max-bytes", metavar="N|none|default", help="Bytes of inputs and outputs kept.")
]

_HERE = Path("face-recovery-service")


@keys.command("add")
def keys_add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is; for you.")],
    folder: Folder = _HERE,
    credits: Credits = None,  # noqa: A002 -- as the option is called
    rate: Rate = None,
    burst: Burst = None,
    max_jobs: MaxJobs = None,
    max_bytes: MaxBytes = None,
    json: options.Json = False,
) -> None:
    """Make a key and print it, this once; only its SHA-256 is kept. A limit that is not given is the service's."""
    from engine.commands import keys as action

    told = {"credits": credits, "rate": rate, "burst": burst, "max_jobs": max_jobs, "max_bytes": max_bytes}
    action.add(folder, name, told, is_json=json)


@keys.command("list")
def keys_list(folder: Folder = _HERE, json: options.Json = False) -> None:
    """Show all keys with their limits; never their text, which is kept nowhere."""
    from engine.commands import keys as action

    action.list_keys(folder, is_json=json)


@keys.command("suspend")
def keys_suspend(key_id: KeyId, folder: Folder = _HERE, json: options.Json = False) -> None:
    """Answer the calls of a key by 403 until it is resumed; jobs that it has sent go on."""
    from engine.commands import keys as action

    action.set_suspended(folder, key_id, is_suspended=True, is_json=json)


@keys.command("resume")
def keys_resume(key_id: KeyId, folder: Folder = _HERE, json: options.Json = False) -> None:
    """Let a suspended key in again."""
    from engine.commands import keys as action

    action.set_suspended(folder, key_id, is_suspended=False, is_json=json)


@keys.command("revoke")
def keys_revoke(key_id: KeyId, folder: Folder = _HERE, json: options.Json = False) -> None:
    """Remove a key for good; its calls are answered 401 from then on."""
    from engine.commands import keys as action

    action.revoke(folder, key_id, is_json=json)


@keys.command("change")
def keys_change(
    key_id: KeyId,
    folder: Folder = _HERE,
    credits: Credits = None,  # noqa: A002 -- as the option is called
    rate: Rate = None,
    burst: Burst = None,
    max_jobs: MaxJobs = None,
    max_bytes: MaxBytes = None,
    json: options.Json = False,
) -> None:
    """Change what a key may ask for: a number, `none` for no limit, `default` for what the service's settings say."""
    from engine.commands import keys as action

    told = {"credits": credits, "rate": rate, "burst": burst, "max_jobs": max_jobs, "max_bytes": max_bytes}
    action.change(folder, key_id, told, is_json=json)
