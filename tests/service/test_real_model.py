"""The service with the face model of this package, end to end."""

import hashlib
import io

import pytest
from PIL import Image
from skimage import data

from tests.service.harness import running


@pytest.fixture(scope="module")
def portrait():
    """Return a small public-domain portrait as JPEG."""
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).crop((128, 0, 384, 256)).resize((128, 128)).save(file, "JPEG", quality=60)
    return file.getvalue()


@pytest.fixture
async def real(tmp_path):
    async with running(tmp_path / "service", workers=1, worker_command=None) as service:
        yield service


async def test_a_portrait_is_restored(real, portrait):
    """A damaged portrait comes back at the size and format asked for, with its face found."""
    status, answer = await real.post(portrait, filename="p.jpg", output_width="256", output_format="png")
    assert status == 200
    row = await real.reached(answer["process_id"], "Completed", "Failed")
    assert row["status"] == "Completed", row
    body = (await real.fetch((await real.link(row["process_id"]))["download_url"])).body
    assert (hashlib.sha256(body).hexdigest(), len(body)) == (row["output_sha256"], row["output_bytes"])
    with Image.open(io.BytesIO(body)) as picture:
        assert (picture.format, picture.size) == ("PNG", (256, 256))
        picture.load()
    assert (row["faces"], row["input_format"], row["credits"]) == (1, "jpeg", 1)


async def test_every_setting_reaches_the_model(real, portrait):
    """All settings of the model at once are accepted and carried out."""
    fields = {
        "strength": "0.7",
        "grain": "true",
        "grain_model": "gaussian",
        "grain_density": "0.4",
        "grain_size": "2.0",
        "grain_strength": "0.3",
        "iai_packed_metadata": "[30, 10, 70, 90, 0.9]",
        "input_width": "128",
        "input_height": "128",
        "output_height": "64",
        "output_format": "tif",
    }
    status, answer = await real.post(portrait, filename="p.jpg", **fields)
    assert status == 200, answer
    row = await real.reached(answer["process_id"], "Completed", "Failed")
    assert row["status"] == "Completed", row
    assert (row["output_width"], row["output_height"], row["output_format"]) == (64, 64, "tiff")


async def test_a_picture_that_does_not_decode_fails_with_a_reason(real, portrait):
    """A truncated picture passes the header check, fails its own job in one line, and the worker lives on."""
    _, broken = await real.post(portrait[: len(portrait) // 3], filename="broken.jpg")
    _, sound = await real.post(portrait, filename="sound.jpg")
    row = await real.reached(broken["process_id"], "Completed", "Failed")
    assert row["status"] == "Failed"
    assert row["message"]
    assert "\n" not in row["message"]
    assert "died" not in row["message"]
    await real.reached(sound["process_id"], "Completed")
