"""The worker's second task, the upscaler: alone, out of memory, without its libraries, and behind the service."""

import contextlib
import io
import sys

import aiohttp
import orjson
import pytest
import skimage.data
from PIL import Image

from engine.errors import UsageError
from engine.job.enhance import Enhance
from engine.job.parameters import FaceRecovery
from engine.service.submission import Submission
from engine.service.worker_memory import LEAST_BYTES, check_memory, is_out_of_memory
from engine.service.worker_process import JobFailed, WorkerProcess
from engine.service.worker_protocol import request_of
from tests.service.harness import running

WORKER = (sys.executable, "-m", "engine.service.worker", "--threads", "1")
# No face model: it takes a second to load and is not asked for here.
FACELESS = "import sys; from engine.service.worker import main; main(sys.argv[1:], lambda _threads: None)"


@contextlib.asynccontextmanager
async def _working(command):
    worker = await WorkerProcess.start(command, 1)
    try:
        yield worker
    finally:
        await worker.kill()


def _portrait(side=24):
    return Image.fromarray(skimage.data.astronaut()).crop((150, 20, 310, 180)).resize((side, side))


def _request(tmp_path, *, image=None, task="enhance", **options):
    source = tmp_path / "source"
    (image or _portrait()).save(source, "PNG")
    asked = {"output_width": None, "output_height": None, "output_format": "png", **options}
    if task == "restore":
        asked |= {"strength": 1.0, "grain": None, "boxes": None, "seed": 0}
    else:
        asked |= {"crop_to_fill": False}
    return {"task": task, "source": str(source), "target": str(tmp_path / "target"), "options": asked}


def _ignore(_percent):
    pass


async def test_one_worker_does_both_tasks(tmp_path):
    """Upscaled and restored in turn by one process; an upscale finds no faces."""
    async with _working(WORKER) as worker:
        seen = []
        finished = await worker.restore(_request(tmp_path, output_width=96), seen.append)
        assert (finished.input_width, finished.output_width, finished.output_height, finished.faces) == (24, 96, 96, 0)
        assert (tmp_path / "target").stat().st_size == finished.size_bytes
        assert seen == sorted(seen)
        assert seen[-1] == 100
        restored = await worker.restore(_request(tmp_path, image=_portrait(128), task="restore"), _ignore)
        assert (restored.output_width, restored.faces) == (128, 1)


async def test_what_needs_more_memory_than_there_is_fails_alone(tmp_path):
    """The network has no room for a picture, whose job fails in one line; the worker lives and does the next ones."""
    async with _working((*WORKER, "--memory", str(900 * 1024**2))) as worker:
        large = _request(tmp_path, image=_portrait(150), output_width=600)
        for _ in range(2):
            with pytest.raises(JobFailed, match=r"^not enough memory for this picture$"):
                await worker.restore(large, _ignore)
        assert not (tmp_path / "target.part").exists()
        assert (await worker.restore(_request(tmp_path, output_width=48), _ignore)).output_width == 48
        restored = await worker.restore(_request(tmp_path, image=_portrait(128), task="restore"), _ignore)
        assert restored.faces == 1


async def test_a_picture_that_does_not_even_decode_into_memory_is_not_called_damaged(tmp_path):
    """What the decoder can't get room for is a want of memory, not the file's fault."""
    async with _working((sys.executable, "-c", FACELESS, "--memory", str(750 * 1024**2))) as worker:
        with pytest.raises(JobFailed, match=r"^not enough memory for this picture$"):
            await worker.restore(_request(tmp_path, image=Image.new("RGB", (10_000, 9_000))), _ignore)


async def test_without_the_libraries_the_job_says_what_to_install(tmp_path):
    """A missing extra is one line in the row of each upscale, and no trouble to anything else."""
    lacking = "import sys; sys.modules['ncnn'] = None; " + FACELESS.removeprefix("import sys; ")
    async with _working((sys.executable, "-c", lacking)) as worker:
        for _ in range(2):
            with pytest.raises(JobFailed, match=r"^the upscaler needs the extra 'enhance': pip install"):
                await worker.restore(_request(tmp_path, output_width=48), _ignore)


async def test_what_can_not_be_done_in_time_is_refused_early(tmp_path):
    """The worker knows the service's limit, and names the picture as its sender does."""
    async with _working((sys.executable, "-c", FACELESS, "--time-limit", "0.001")) as worker:
        with pytest.raises(JobFailed, match=r"^the picture would take about .* more than the 0 s allowed"):
            await worker.restore(_request(tmp_path, output_width=48), _ignore)


async def test_the_service_upscales(tmp_path):
    """From the call to the row and the file, through a worker with the network in it."""
    file = io.BytesIO()
    _portrait().save(file, "PNG")
    form = aiohttp.FormData()
    fields = {"model": "Standard V2", "output_width": "64", "output_height": "48", "output_format": "png"}
    for name, value in fields.items():
        form.add_field(name, value)
    form.add_field("image", file.getvalue(), filename="p.png", content_type="image/png")
    async with running(tmp_path / "service", workers=1, worker_command=(sys.executable, "-c", FACELESS)) as service:
        status, answer = await service.call("POST", "/enhance/async", data=form)
        assert status == 200, answer
        row = await service.reached(answer["process_id"], "Completed", "Failed")
        assert row["status"] == "Completed", row
        assert (row["output_width"], row["output_height"]) == (48, 48)
        body = (await service.fetch((await service.link(row["process_id"]))["download_url"])).body
    with Image.open(io.BytesIO(body)) as picture:
        assert (picture.format, picture.size) == ("PNG", (48, 48))


def _submission(**members):
    usual = {
        "process_id": "p",
        "source_id": "s",
        "sequence": 1,
        "filename": "a.png",
        "input_format": "png",
        "input_width": 40,
        "input_height": 30,
        "output_format": "tiff",
        "output_width": 80,
        "output_height": 60,
        "options_json": "{}",
        "price": 1,
        "created": 0.0,
        "eta": 0.0,
    }
    return Submission(**{**usual, **members})


def test_the_route_decides_the_task(tmp_path):
    """A request is plain JSON with the options of its own model only."""
    upscale = request_of(_submission(route="enhance"), Enhance(output_width=80, crop_to_fill=True), tmp_path, tmp_path)
    assert upscale["task"] == "enhance"
    assert upscale["options"] == {
        "output_width": 80,
        "output_height": None,
        "output_format": "tiff",
        "crop_to_fill": True,
    }
    restore = request_of(_submission(), FaceRecovery(strength=0.5), tmp_path, tmp_path)
    assert restore["task"] == "restore"
    assert (restore["options"]["strength"], restore["options"]["output_format"]) == (0.5, "tiff")
    assert "crop_to_fill" not in restore["options"]
    assert orjson.loads(orjson.dumps(restore)) == restore


@pytest.mark.parametrize("limit_bytes", [0, 512 * 1024**2, LEAST_BYTES - 1])
def test_a_memory_limit_that_no_worker_can_live_with_is_refused(limit_bytes):
    """Better no service than one whose every job fails."""
    with pytest.raises(UsageError, match=r"worker memory: .* too few, a worker needs at least 2,684,354,560"):
        check_memory(limit_bytes)


def test_no_limit_and_a_sound_one_are_taken():
    """None is no limit."""
    check_memory(None)
    check_memory(LEAST_BYTES)


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (MemoryError(), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("BFCArena: Failed to allocate memory for requested buffer of size 9"), True),
        (RuntimeError("an index is out of range"), False),
        (None, False),
    ],
)
def test_a_want_of_memory_is_known_in_every_librarys_words(error, answer):
    """Whatever the library calls it, the row says the same."""
    assert is_out_of_memory(error) is answer
