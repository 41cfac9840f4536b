"""Runs of two stages over the remote in memory, and what must be true of them whatever happened on the way."""

import io
from collections import Counter
from pathlib import Path

from PIL import Image

from engine.job.enhance import Enhance
from engine.job.parameters import FaceRecovery, OutputFormat
from engine.pipeline.closing import Reason
from engine.pipeline.inspection import inspect
from engine.pipeline.summary import ExitCode
from tests.pipeline.harness import SIZE, Bench, picture

FINAL = (2 * SIZE[0], 2 * SIZE[1])
RUN = "0123456789"


def chain(folder: Path, count: int, *, is_ours: bool = True, **about) -> Bench:
    """Return a bench for `restore --then enhance` over `count` pictures."""
    parameters = FaceRecovery(output_format=OutputFormat.PNG)
    bench = Bench(folder, parameters=parameters, then=Enhance(output_width=FINAL[0]), **about).pictures(count)
    data = io.BytesIO()
    Image.new("RGB", SIZE, (10, 200, 30)).save(data, "PNG")
    bench.remote.result, bench.remote.size = data.getvalue(), SIZE
    bench.remote.enhanced, bench.remote.enhanced_size = picture(FINAL), FINAL
    bench.remote.is_ours = is_ours
    return bench


def names(jobs: int) -> list[str]:
    """Return the filenames of the remote jobs of a chained run: two for each picture."""
    return sorted(f"{RUN}-{number:06d}{end}" for number in range(jobs) for end in (".jpg", "s2.png"))


def check_is_whole(bench: Bench, jobs: int) -> None:
    """Audit the remote's ledger, the outputs and the run's files against each other."""
    assert Counter(bench.remote.accepted) == Counter(names(jobs))
    assert bench.outputs() == [f"p{number:03d}.jpg" for number in range(jobs)]
    for number in range(jobs):
        with Image.open(bench.out / f"p{number:03d}.jpg") as image:
            assert (image.size, image.format) == (FINAL, "JPEG")
    assert sorted((row["job"], row["status"]) for row in bench.results()) == [(n, "done") for n in range(jobs)]
    assert [row["credits"] for row in bench.results()] == [2] * jobs
    summary = inspect(bench.run_folder)
    assert (summary.done, summary.credits_charged, summary.credits_reserved) == (jobs, 2 * jobs, 0)
    assert not list((bench.run_folder.path / "staged").glob("*"))


async def stop_on_second_stage(bench: Bench) -> None:
    """Carry out a run of two pictures, and interrupt it when both are on their second stage."""
    bench.remote.later_fates = {0: ("Processing", ""), 1: ("Processing", "")}

    def stop(call):
        if len(bench.remote.accepted) == 4 and call in ("status", "listing"):
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
    bench.remote.before = lambda _call: None
    bench.remote.later_fates = {}
