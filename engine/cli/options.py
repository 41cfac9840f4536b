"""Options that several commands share.

Numbers are taken as text: `FaceRecovery` and `Settings` check ranges, so every way in has the same errors.
"""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

_MODEL = "Face Recovery 3"
_LIMITS = "Limits"
_SIMULATION = "Simulation"
_NETWORK = "Network"


def folder(text: str) -> Path:
    """Return the folder named by an option; an empty text, as an unset shell variable gives, is no folder."""
    if not text:
        raise typer.BadParameter("is empty; name a folder")
    return Path(text)


Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT...", help="Files, folders (recursive), .txt lists of paths and URLs, or URLs."),
]
Include = Annotated[
    list[str] | None, typer.Option("--include", metavar="GLOB", help="Only files of a folder that match; repeatable.")
]
Exclude = Annotated[
    list[str] | None, typer.Option("--exclude", metavar="GLOB", help="Not the files that match; repeatable.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The run folder, or the output folder it lies in.")]
Json = Annotated[bool, typer.Option("--json", help="Print one machine-readable summary on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
CancelRemote = Annotated[
    bool, typer.Option("--cancel-remote", help="On the first Ctrl-C cancel what is in flight, as `cancel` does.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings (TOML); else FACE_RECOVERY_CONFIG, else ./face-recovery.toml."
    ),
]


def _option(panel: str, name: str, metavar: str, text: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(f"--{name}", metavar=metavar, help=text, rich_help_panel=panel)
    return option


_model, _limit, _simulated, _network = (partial(_option, panel) for panel in (_MODEL, _LIMITS, _SIMULATION, _NETWORK))

Scale = Annotated[str | None, _model("scale", "0.1-16", "Output size as a multiple of each input's.")]
Then = Annotated[
    str | None,
    _model("then", "enhance", "Upscale what was restored, in the same run; the output options are of that stage."),
]
CropToFill = Annotated[
    bool | None,
    typer.Option(
        "--crop-to-fill/--no-crop-to-fill",
        help="With --then and both sizes: cut off what sticks out; else it fits inside.",
        rich_help_panel=_MODEL,
    ),
]
Strength = Annotated[str | None, _model("strength", "0.0-1.0", "How much is restored; 1.0 by default.")]
OutputFormat = Annotated[str | None, _model("output-format", "jpeg|jpg|png|tiff|tif", "jpeg by default.")]
OutputWidth = Annotated[str | None, _model("output-width", "1-32000", "Pixels; alone it keeps the aspect.")]
OutputHeight = Annotated[str | None, _model("output-height", "1-32000", "Pixels; alone it keeps the aspect.")]
Grain = Annotated[bool | None, typer.Option("--grain/--no-grain", help="Add film grain.", rich_help_panel=_MODEL)]
GrainModel = Annotated[str | None, _model("grain-model", "silver|gaussian|grey", "silver by default.")]
GrainDensity = Annotated[str | None, _model("grain-density", "0.0-1.0", "Share of grains; 0.5 by default.")]
GrainSize = Annotated[str | None, _model("grain-size", "1.0-5.0", "Size of a grain in pixels; 1.0 by default.")]
GrainStrength = Annotated[str | None, _model("grain-strength", "0.0-1.0", "Visibility; 0.5 by default.")]
InputWidth = Annotated[str | None, _model("input-width", "PIXELS", "Told to the backend as it is.")]
InputHeight = Annotated[str | None, _model("input-height", "PIXELS", "Told to the backend as it is.")]
Boxes = Annotated[
    str | None,
    _model(
        "iai-packed-metadata", "JSON", "Face boxes instead of looking for faces: x, y, width, height, score for each."
    ),
]
Reference = Annotated[str | None, _model("reference-uri", "URI", "A reference picture of the face.")]


MaxCredits = Annotated[str | None, _limit("max-credits", "N", "Never reserve and spend more than this.")]
MaxInFlight = Annotated[str | None, _limit("max-in-flight", "1-100000", "Jobs at the backend at once.")]
SubmitConcurrency = Annotated[str | None, _limit("submit-concurrency", "1-1000", "Uploads at once.")]
DownloadConcurrency = Annotated[str | None, _limit("download-concurrency", "1-1000", "Downloads at once.")]
Workers = Annotated[str | None, _limit("service-workers", "0-256", "Processes of the local face model; 0: one a core.")]


WebhookUrl = Annotated[
    str | None, _network("webhook-url", "URL", "Public address where the backend tells that a job has ended.")
]
WebhookListen = Annotated[
    str | None, _network("webhook-listen", "HOST:PORT", "Where that is answered; 127.0.0.1:8900 by default.")
]


ServiceConfig = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings (TOML), as config/service.toml explains them.")
]
TlsCertificate = Annotated[str | None, _network("tls-cert", "FILE", "Serve by TLS: the certificate with its chain.")]
TlsKey = Annotated[str | None, _network("tls-key", "FILE", "And its key.")]
PublicUrl = Annotated[str | None, _network("public-url", "URL", "What clients call, where a proxy stands in front.")]
AdminPort = Annotated[str | None, _network("admin-port", "N", "Tell /metrics and /health there, on this machine.")]
DrainS = Annotated[str | None, _limit("drain-s", "S", "How long running jobs may go on when told to stop.")]
AllowNetwork = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-network",
        metavar="CIDR",
        help="A private network that source_url and webhooks may reach; repeatable.",
        rich_help_panel=_NETWORK,
    ),
]


SimulationFile = Annotated[
    Path | None,
    typer.Option("--simulation", metavar="FILE", help="What is simulated (TOML).", rich_help_panel=_SIMULATION),
]
Simulate = Annotated[
    bool,
    typer.Option("--simulate", help="Restore nothing: flat pictures after a while.", rich_help_panel=_SIMULATION),
]
Seed = Annotated[str | None, _simulated("seed", "N", "The same seed falls the same way; 0 by default.")]
Latency = Annotated[
    str | None,
    _simulated("latency", "MODEL", "fixed:S, lognormal:MEDIAN_S:SIGMA, queue:WORKERS:MEDIAN_S:SIGMA[:EVERY_S:STALL_S]"),
]
ResultBytes = Annotated[str | None, _simulated("result-bytes", "N", "Size of each result; 60000 by default.")]
FailedJobs = Annotated[str | None, _simulated("failed-jobs", "0-1", "Share of jobs that end Failed.")]
EtaFactor = Annotated[str | None, _simulated("eta-factor", "X", "Told eta as a multiple of the honest one.")]
EtaNoise = Annotated[str | None, _simulated("eta-noise", "SIGMA", "Spread of the told eta; 0 by default.")]
Rate = Annotated[str | None, _simulated("rate", "N", "Calls a second, else 429; files are not counted.")]
RateBurst = Annotated[str | None, _simulated("rate-burst", "N", "Calls at once; one second's worth by default.")]
RateSteps = Annotated[str | None, _simulated("rate-steps", "S:N,...", "From second S on, N calls a second.")]
RetryAfter = Annotated[
    bool | None,
    typer.Option("--retry-after/--no-retry-after", help="Whether a 429 says when.", rich_help_panel=_SIMULATION),
]
ServerErrors = Annotated[str | None, _simulated("server-errors", "0-1", "Share of calls answered 500, 502, 503.")]
ResetBefore = Annotated[str | None, _simulated("reset-before", "0-1", "Share of submits lost before acceptance.")]
ResetAfter = Annotated[str | None, _simulated("reset-after", "0-1", "Share of submits lost after acceptance.")]
SlowDownloads = Annotated[str | None, _simulated("slow-downloads", "0-1", "Share of downloads that crawl.")]
SlowBytes = Annotated[str | None, _simulated("slow-bytes-per-s", "N", "How fast those are; 20000 by default.")]
TruncatedDownloads = Annotated[str | None, _simulated("truncated-downloads", "0-1", "Share cut off half way.")]
ExpiredLinks = Annotated[str | None, _simulated("expired-links", "0-1", "Share of downloads answered 403.")]
ListingOrder = Annotated[str | None, _simulated("listing-order", "newest|oldest|random", "newest by default.")]
OldRows = Annotated[str | None, _simulated("old-rows", "N", "Finished rows of strangers in the listing.")]
