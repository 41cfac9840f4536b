"""Commands that make things, and their options, in the order of `--help`; `care` adds those that look after a run."""

from pathlib import Path
from typing import Annotated

import typer

from engine import __version__
from engine.cli import options

__all__ = ["app"]

app = typer.Typer(
    name="face-recovery",
    help="Restores the faces in massive image sets: resumable, verified, never paid twice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"face-recovery {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    del version


@app.command()
def restore(
    inputs: options.Inputs,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", parser=options.folder, help="Where the restored pictures go."),
    ],
    backend: Annotated[
        str | None,
        typer.Option("--backend", metavar="local|topaz|simulated|URL", help="Who restores; local by default, free."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="DIR", parser=options.folder, help="The run folder; else OUT/.face-recovery."),
    ] = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    strength: options.Strength = None,
    output_format: options.OutputFormat = None,
    output_width: options.OutputWidth = None,
    output_height: options.OutputHeight = None,
    scale: options.Scale = None,
    then: options.Then = None,
    crop_to_fill: options.CropToFill = None,
    grain: options.Grain = None,
    grain_model: options.GrainModel = None,
    grain_density: options.GrainDensity = None,
    grain_size: options.GrainSize = None,
    grain_strength: options.GrainStrength = None,
    iai_packed_metadata: options.Boxes = None,
    reference_uri: options.Reference = None,
    input_width: options.InputWidth = None,
    input_height: options.InputHeight = None,
    max_credits: options.MaxCredits = None,
    max_in_flight: options.MaxInFlight = None,
    submit_concurrency: options.SubmitConcurrency = None,
    download_concurrency: options.DownloadConcurrency = None,
    service_workers: options.Workers = None,
    webhook_url: options.WebhookUrl = None,
    webhook_listen: options.WebhookListen = None,
    simulation: options.SimulationFile = None,
    config: options.Config = None,
    cancel_remote: options.CancelRemote = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Restore the faces in pictures; safe to interrupt, to repeat and to resume.

    Exit codes: 0 all done, 2 bad usage, 3 finished with failed jobs, 4 interrupted and resumable,
    5 stopped for credits and resumable, 6 key refused.
    """
    from engine.commands import restore as action

    code = action.restore(
        inputs,
        out=out,
        run_folder=run,
        globs=action.Globs(tuple(include or ()), tuple(exclude or ())),
        outputs=action.Outputs(scale=scale, then=then, crop_to_fill=crop_to_fill),
        parameters={
            "strength": strength,
            "output_format": output_format,
            "output_width": output_width,
            "output_height": output_height,
            "grain": grain,
            "grain_model": grain_model,
            "grain_density": grain_density,
            "grain_size": grain_size,
            "grain_strength": grain_strength,
            "iai_packed_metadata": iai_packed_metadata,
            "reference_uri": reference_uri,
            "input_width": input_width,
            "input_height": input_height,
        },
        settings={
            "backend": backend,
            "max_credits": max_credits,
            "max_in_flight": max_in_flight,
            "submit_concurrency": submit_concurrency,
            "download_concurrency": download_concurrency,
            "service_workers": service_workers,
            "webhook_url": webhook_url,
            "webhook_listen": webhook_listen,
            "simulation": simulation,
        },
        config=config,
        output=action.Output(is_json=json, is_quiet=quiet),
        is_cancelling=cancel_remote,
    )
    raise typer.Exit(code)


@app.command()
def resume(
    run: options.RunArgument,
    max_credits: options.MaxCredits = None,
    max_in_flight: options.MaxInFlight = None,
    submit_concurrency: options.SubmitConcurrency = None,
    download_concurrency: options.DownloadConcurrency = None,
    service_workers: options.Workers = None,
    webhook_url: options.WebhookUrl = None,
    webhook_listen: options.WebhookListen = None,
    cancel_remote: options.CancelRemote = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Go on with an interrupted run: nothing is sent twice, nothing finished is done again."""
    from engine.commands import restore as action

    settings = {
        "max_credits": max_credits,
        "max_in_flight": max_in_flight,
        "submit_concurrency": submit_concurrency,
        "download_concurrency": download_concurrency,
        "service_workers": service_workers,
        "webhook_url": webhook_url,
        "webhook_listen": webhook_listen,
    }
    output, manner = action.Output(is_json=json, is_quiet=quiet), action.Manner(is_cancelling=cancel_remote)
    raise typer.Exit(action.resume(run, settings, output, manner))


@app.command()
def status(run: options.RunArgument, json: options.Json = False) -> None:
    """Show how far a run is, from its files; works while it is running, too."""
    from engine.commands import look as action

    action.status(run, is_json=json)


@app.command()
def estimate(
    inputs: options.Inputs,
    backend: Annotated[
        str | None, typer.Option("--backend", metavar="topaz|URL", help="Ask it for its prices and durations, too.")
    ] = None,
    include: options.Include = None,
    exclude: options.Exclude = None,
    output_width: options.OutputWidth = None,
    output_height: options.OutputHeight = None,
    scale: options.Scale = None,
    then: options.Then = None,
    crop_to_fill: options.CropToFill = None,
    config: options.Config = None,
    json: options.Json = False,
) -> None:
    """Price a run offline, from the pictures' headers; no picture is sent. With --backend ask that, too."""
    from engine.commands import look as action

    action.estimate(
        inputs,
        action.Globs(tuple(include or ()), tuple(exclude or ())),
        sizes={"output_width": output_width, "output_height": output_height},
        outputs=action.Outputs(scale=scale, then=then, crop_to_fill=crop_to_fill),
        backend=backend,
        config=config,
        is_json=json,
    )


@app.command()
def serve(
    folder: Annotated[Path, typer.Option("--folder", metavar="DIR", help="Where jobs and files are kept.")] = Path(
        "face-recovery-service"
    ),
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; this machine only by default.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="8300 by default; 0 takes a free one.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=0, max=256, help="Restoring processes; 0, the default: one a core.")
    ] = None,
    tls_cert: options.TlsCertificate = None,
    tls_key: options.TlsKey = None,
    public_url: options.PublicUrl = None,
    admin_port: options.AdminPort = None,
    drain_s: options.DrainS = None,
    allow_network: options.AllowNetwork = None,
    config: options.ServiceConfig = None,
    child: Annotated[bool, typer.Option("--child", hidden=True)] = False,
    simulate: options.Simulate = False,
    simulation: options.SimulationFile = None,
    seed: options.Seed = None,
    latency: options.Latency = None,
    result_bytes: options.ResultBytes = None,
    failed_jobs: options.FailedJobs = None,
    eta_factor: options.EtaFactor = None,
    eta_noise: options.EtaNoise = None,
    rate: options.Rate = None,
    rate_burst: options.RateBurst = None,
    rate_steps: options.RateSteps = None,
    retry_after: options.RetryAfter = None,
    server_errors: options.ServerErrors = None,
    reset_before: options.ResetBefore = None,
    reset_after: options.ResetAfter = None,
    slow_downloads: options.SlowDownloads = None,
    slow_bytes_per_s: options.SlowBytes = None,
    truncated_downloads: options.TruncatedDownloads = None,
    expired_links: options.ExpiredLinks = None,
    listing_order: options.ListingOrder = None,
    old_rows: options.OldRows = None,
) -> None:
    """Serve the Face Recovery 3 contract with the face model on this machine, or with a simulation of it.

    Clients send the key in FACE_RECOVERY_SERVICE_KEY, or one that `keys add` made, as X-API-Key; without any a key is
    made and printed.
    """
    from engine.commands import serve as action

    told = {
        "seed": seed,
        "latency": latency,
        "result_bytes": result_bytes,
        "failed_jobs": failed_jobs,
        "eta_factor": eta_factor,
        "eta_noise": eta_noise,
        "rate": rate,
        "rate_burst": rate_burst,
        "rate_steps": rate_steps,
        "retry_after": retry_after,
        "server_errors": server_errors,
        "reset_before": reset_before,
        "reset_after": reset_after,
        "slow_downloads": slow_downloads,
        "slow_bytes_per_s": slow_bytes_per_s,
        "truncated_downloads": truncated_downloads,
        "expired_links": expired_links,
        "listing_order": listing_order,
        "old_rows": old_rows,
    }
    made = action.simulation_of(told, is_simulated=simulate, file=simulation)
    settings = {
        "host": host,
        "port": port,
        "workers": workers,
        "tls_certificate": tls_cert,
        "tls_key": tls_key,
        "public_url": public_url,
        "admin_port": admin_port,
        "drain_s": drain_s,
        "allowed_networks": allow_network or None,
    }
    action.serve(folder, settings, config, is_child=child, simulation=made)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where everything goes.")] = Path(
        "demo-output"
    ),
) -> None:
    """Damage a public-domain portrait, restore it for real, and draw a before/after contact sheet."""
    from engine.commands import demo as action

    raise typer.Exit(action.demo(out))
