"""Commands that look after a run there is: is it all there, what failed, what is lost, what is to be taken back."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli import options
from engine.cli.commands import app

__all__ = ["app"]

journal = typer.Typer(help="Read the journal of a run.", no_args_is_help=True)
app.add_typer(journal, name="journal")


@app.command()
def verify(
    run: options.RunArgument,
    list_file: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="Write all bad outputs there, one JSON object a line."),
    ] = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check every output of a run against its recorded SHA-256, size and dimensions; offline, and nothing is changed.

    Exit codes: 0 all outputs are as they were recorded, 3 some are missing, changed or damaged.
    """
    from engine.commands import verify as action
    from engine.commands.restore import Output

    raise typer.Exit(action.verify(run, list_file, Output(is_json=json, is_quiet=quiet)))


@app.command("retry-failed")
def retry_failed(
    run: options.RunArgument,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Only jobs that failed with TEXT in their reason.")
    ] = "",
    max_credits: options.MaxCredits = None,
    max_in_flight: options.MaxInFlight = None,
    submit_concurrency: options.SubmitConcurrency = None,
    download_concurrency: options.DownloadConcurrency = None,
    service_workers: options.Workers = None,
    cancel_remote: options.CancelRemote = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Try failed jobs again, and go on with the run; what was paid for already is fetched, not sent again.

    Exit codes: 0 nothing had failed or all done, else as `restore`.
    """
    from engine.commands import retry as action
    from engine.commands.restore import Manner, Output

    settings = {
        "max_credits": max_credits,
        "max_in_flight": max_in_flight,
        "submit_concurrency": submit_concurrency,
        "download_concurrency": download_concurrency,
        "service_workers": service_workers,
    }
    output, manner = Output(is_json=json, is_quiet=quiet), Manner(is_cancelling=cancel_remote)
    raise typer.Exit(action.retry_failed(run, reason, settings, output, manner))


@app.command()
def recover(
    run: options.RunArgument,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the backend; the resume looks there before it sends anything.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Even though the journal is sound.")] = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make a lost or damaged journal anew, from the plan, the backend's listing and the outputs; then resume.

    The old journal is kept beside it. Exit codes: 0 made, 2 not needed or not possible, 4 the backend can't be asked,
    6 key refused.
    """
    from engine.commands import recover as action
    from engine.commands.restore import Output

    output = Output(is_json=json, is_quiet=quiet)
    raise typer.Exit(action.recover(run, output, is_offline=offline, is_forced=force))


@app.command()
def cancel(run: options.RunArgument, json: options.Json = False) -> None:
    """Cancel at the backend what is in flight; what is too late for that is left for a resume.

    Cancelled jobs count as failed, with the reason "cancelled" and no charge. Exit codes: 0 every job is done, 3 all
    have ended and some failed, 4 a resume has something to do, 6 key refused.
    """
    from engine.commands import cancel as action
    from engine.commands.restore import Output

    raise typer.Exit(action.cancel(run, Output(is_json=json)))


@journal.command("show")
def journal_show(
    run: options.RunArgument,
    job: Annotated[int | None, typer.Option("--job", metavar="N", help="Only the events of one job.")] = None,
    tail: Annotated[int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last N events.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events come, until Ctrl-C.")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="The JSON lines as they are.")] = False,
) -> None:
    """Print the events of a run; lines that do not prove themselves are counted at the end."""
    from engine.commands import journal as action

    action.show_journal(run, action.Wanted(job=job, tail=tail, is_raw=raw, is_followed=follow))
