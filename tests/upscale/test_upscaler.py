"""The upscaler end to end, with its network, on tiny pictures."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from engine.errors import InputError
from engine.upscale.upscaler import Options, Upscaler
from tests.upscale.conftest import Enhance


def _means(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), float).mean(axis=(0, 1))


def _sharpness(image: Image.Image) -> float:
    return float(np.abs(np.diff(np.asarray(image.convert("L"), float), axis=1)).mean())


def test_four_times_is_the_networks_own_work(enhance: Enhance, portrait: Image.Image):
    """The output has the size asked for, is sharper than Lanczos makes it, and keeps the colours within 1 of 255."""
    result, output = enhance(portrait, output_width=160)
    assert (result.input_width, result.input_height, result.input_format) == (40, 40, "png")
    assert (result.output_width, result.output_height) == output.size == (160, 160)
    assert result.warnings == ()
    assert _sharpness(output) > 1.2 * _sharpness(portrait.resize((160, 160), Image.Resampling.LANCZOS))
    assert np.abs(_means(output) - _means(portrait)).max() < 1


@pytest.mark.parametrize(
    ("asked", "size", "warning"),
    [
        ({"output_height": 100}, (100, 100), ""),
        ({"output_width": 300}, (300, 300), "the output is more than 4 times as large as the input"),
        ({"output_width": 90, "output_height": 60}, (60, 60), ""),
        ({"output_width": 90, "output_height": 60, "crop_to_fill": True}, (90, 60), ""),
        ({}, (40, 40), "the output is no larger than the input; the picture was only resized"),
        ({"output_width": 20}, (20, 20), "the output is no larger than the input; the picture was only resized"),
    ],
)
def test_any_size_is_met_exactly(enhance: Enhance, portrait: Image.Image, asked, size, warning):
    """Below four times the network's output is reduced, above it enlarged; a crop is central; shrinking needs none."""
    result, output = enhance(portrait, **asked)
    assert (result.output_width, result.output_height) == output.size == size
    assert [line.split(";")[0] for line in result.warnings] == ([warning.split(";")[0]] if warning else [])


def test_a_crop_is_taken_from_the_middle(enhance: Enhance):
    """What sticks out is cut off on both sides alike."""
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, 10:30] = 255
    _, output = enhance(Image.fromarray(picture), output_width=60, output_height=60, crop_to_fill=True)
    assert np.asarray(output)[:, 6:-6].min() > 200


def test_alpha_is_kept_and_what_is_hidden_leaves_no_rim(enhance: Enhance):
    """A red disc on transparent black has red up to its soft edge."""
    y, x = np.mgrid[:32, :32] - 15.5
    inside = x**2 + y**2 < 100
    picture = np.where(inside[..., None], [200, 30, 30, 255], [0, 0, 0, 0]).astype(np.uint8)
    _, output = enhance(Image.fromarray(picture), output_width=64)
    pixels = np.asarray(output)
    assert output.mode == "RGBA"
    assert (pixels[0, 0, 3], pixels[32, 32, 3]) == (0, 255)
    seen = pixels[pixels[..., 3] > 20][:, :3].astype(int)
    assert np.abs(seen - [200, 30, 30]).max() < 25


def test_grey_stays_grey_and_sixteen_bits_are_read(enhance: Enhance, portrait: Image.Image):
    """The network's tinge does not reach a grey picture, of 8 or of 16 bits."""
    grey = portrait.convert("L").crop((8, 8, 32, 32))
    deep = Image.fromarray(np.asarray(grey, np.uint16) * 257)
    outputs = [np.asarray(enhance(image, output_width=48)[1]) for image in (grey, deep)]
    for pixels in outputs:
        assert (pixels[..., 0] == pixels[..., 1]).all()
        assert (pixels[..., 1] == pixels[..., 2]).all()
    assert (outputs[0] == outputs[1]).all()


@pytest.mark.parametrize(("size", "width"), [((1, 1), 5), ((3, 200), 6), ((200, 3), 400)])
def test_dots_and_strips_are_pictures_too(enhance: Enhance, size, width):
    """The smallest sides come out with their colour."""
    result, output = enhance(Image.new("RGB", size, (10, 120, 240)), output_width=width)
    assert output.size == (width, round(size[1] * width / size[0])) == (result.output_width, result.output_height)
    assert np.abs(_means(output) - (10, 120, 240)).max() < 2


def test_orientation_profile_and_camera_are_kept(enhance: Enhance, portrait: Image.Image):
    """The output is upright, and carries the colour profile and what EXIF told about the picture."""
    picture = portrait.crop((0, 0, 24, 12))
    exif = picture.getexif()
    exif[0x0112], exif[0x0110] = 6, "Camera"
    picture.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    result, output = enhance(picture, output_height=48)
    assert (result.input_width, result.input_height) == (12, 24)
    assert output.size == (24, 48)
    assert (output.getexif()[0x0112], output.getexif()[0x0110]) == (1, "Camera")
    assert output.info["icc_profile"] == picture.info["icc_profile"]


def test_progress_rises_to_a_hundred(upscaler: Upscaler, portrait: Image.Image, tmp_path: Path):
    """Percents never fall and end at 100, when the file is there."""
    portrait.crop((0, 0, 16, 16)).save(tmp_path / "in.png")
    seen: list[int] = []
    upscaler.enhance(tmp_path / "in.png", tmp_path / "out", Options(output_width=32), seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 100
    with Image.open(tmp_path / "out") as output:
        assert output.format == "JPEG"


def test_a_size_beyond_the_limits_is_refused(upscaler: Upscaler, tmp_path: Path):
    """A strip whose other side would follow beyond the limit fails before the network runs."""
    Image.new("RGB", (1, 300)).save(tmp_path / "in.png")
    with pytest.raises(InputError, match=r"^the output is 200 x 60000 pixels"):
        upscaler.enhance(tmp_path / "in.png", tmp_path / "out", Options(output_width=200), lambda _: None)
    assert not (tmp_path / "out").exists()


def test_a_picture_that_can_not_be_done_in_time_is_refused_after_its_first_tile(tmp_path: Path):
    """The line says how long it would take and what may be done; no file is left."""
    Image.new("RGB", (200, 24)).save(tmp_path / "in.png")
    seen: list[int] = []
    hasty = Upscaler(threads=1, time_limit_s=1e-3)
    with pytest.raises(InputError, match=r"^in.png would take about .* to upscale .* allowed for one picture; send"):
        hasty.enhance(tmp_path / "in.png", tmp_path / "out", Options(output_width=400), seen.append)
    assert max(seen) < 60
    assert not (tmp_path / "out").exists()


def test_the_door_opens_without_the_libraries():
    """Without ncnn, importing works and making an upscaler names the extra to install."""
    program = (
        "import sys; sys.modules['ncnn'] = None\n"
        "from engine.upscale.upscaler import Upscaler\n"
        "try: Upscaler()\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=os.environ)
    assert (
        done.stdout
        == "MissingExtra the upscaler needs the extra 'enhance': pip install 'face-recovery-engine[enhance]'\n"
    )
