"""Three small pictures of results: CPU by client, requests against delay, rate over time.

matplotlib is imported by whoever draws: a bench that draws nothing does without it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_peers", "plot_polling", "plot_rate"]

_DPI = 100
_ENGINE, _OTHERS, _ALLOWED = "#c0392b", "#7f8c8d", "#2c3e50"


def plot_peers(result: dict[str, Any], path: Path) -> None:
    """Draw CPU a job of each client as bars, from a result of `peers.py`."""
    clients = result["without_latency"]
    names = list(reversed(clients))
    figure = _figure()
    axes = figure.subplots()
    bars = axes.barh(
        names,
        [clients[name]["cpu_ms_a_job"]["median"] for name in names],
        color=[_ENGINE if name == "engine" else _OTHERS for name in names],
    )
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set_xlabel("CPU a job, ms (20 KB up, 60 KB down, no latency)")
    axes.margins(x=0.12)
    _save(figure, path)


def plot_polling(result: dict[str, Any], path: Path) -> None:
    """Draw status requests a job against the mean delay, a panel for each scene, from a result of `polling.py`."""
    scenes = result["scenes"]
    figure = _figure(width=3.6 * len(scenes))
    panels = figure.subplots(1, len(scenes), squeeze=False)[0]
    for axes, (scene, clients) in zip(panels, scenes.items(), strict=True):
        for kind, marker in (("single looks", "o"), ("sweeps", "s"), ("engine", "*")):
            points = sorted(
                (of_client["delay_mean_s"]["median"], of_client["status_requests_a_job"]["median"])
                for name, of_client in clients.items()
                if name.startswith(kind)
            )
            axes.plot(
                *zip(*points, strict=True) if points else ([], []),
                marker=marker,
                markersize=12 if kind == "engine" else 6,
                label=kind,
                color=_ENGINE if kind == "engine" else None,
            )
        axes.set_title(scene)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.set_xlim(left=0)
        axes.set_xlabel("mean delay, s")
        axes.grid(visible=True, which="both", alpha=0.3)
    panels[0].set_ylabel("status requests a job")
    panels[0].legend()
    _save(figure, path)


def plot_rate(result: dict[str, Any], path: Path) -> None:
    """Draw calls a second, taken and refused, against those allowed, from a result of `rate_limit.py`."""
    figure = _figure(height=2.6 * len(result["over_time"]))
    panels = figure.subplots(len(result["over_time"]), 1, squeeze=False, sharex=True)[:, 0]
    allowed = result["allowed_over_time"]
    for axes, (name, seconds) in zip(panels, result["over_time"].items(), strict=True):
        shown = seconds[: len(allowed)]
        axes.step(range(len(allowed)), allowed, where="post", color=_ALLOWED, label="allowed")
        axes.plot([each["answered"] for each in shown], color=_ENGINE, label="answered")
        axes.plot([each["refused"] for each in shown], color=_OTHERS, label="refused (429)")
        axes.set_title(name, fontsize=10)
        axes.set_ylabel("calls a second")
        axes.set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=3)
    panels[-1].set_xlabel("s")
    _save(figure, path)


def _figure(*, width: float = 7.0, height: float = 3.6) -> "Figure":
    from matplotlib.figure import Figure  # noqa: PLC0415 -- only where something is drawn

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: "Figure", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=_DPI)
