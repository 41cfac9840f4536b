"""Sound pictures that used to come out wrong, and boxes that used to cost the machine its memory."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import InputError
from engine.faces.grain import add_grain
from engine.faces.options import Box, Format, Grain, Options
from engine.faces.restoration import Restorer


@pytest.mark.parametrize("form", ["jpeg", "png", "tiff"])
def test_the_exif_of_a_camera_is_no_hindrance(
    restorer: Restorer, small_portrait: Image.Image, tmp_path: Path, form: Format
) -> None:
    """EXIF with its sub-directories (exposure, GPS), as every camera writes it, goes with every output format."""
    exif = Image.Exif()
    exif[0x0110] = "Camera"
    exif[0x8769] = {0x9003: "2001:02:03 04:05:06", 0x829A: (1, 60)}
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    small_portrait.save(tmp_path / "in.jpg", exif=exif)
    restorer.restore(tmp_path / "in.jpg", tmp_path / "out", Options(output_format=form), lambda _: None)
    with Image.open(tmp_path / "out") as out:
        out.load()
        assert out.getexif()[0x0110] == "Camera"
        if form != "tiff":
            assert out.getexif().get_ifd(0x8769)[0x9003] == "2001:02:03 04:05:06"


@pytest.mark.parametrize(
    "box",
    [(10, 10, 0.03, 0.03), (10, 10, 1e-300, 5e-324), (150, 150, 2, 90)],
    ids=["tiny", "next to nothing", "a line"],
)
def test_a_box_too_small_for_a_face_is_refused(
    restorer: Restorer, small_portrait: Image.Image, tmp_path: Path, box: tuple[float, ...]
) -> None:
    """A box of less than a few pixels is an error that names it, not a picture enlarged ten thousand times."""
    small_portrait.save(tmp_path / "in.png")
    given = Box(x=box[0], y=box[1], width=box[2], height=box[3], score=1.0)
    with pytest.raises(InputError, match=r"face box 1 .* too small"):
        restorer.restore(tmp_path / "in.png", tmp_path / "out", Options(boxes=(given,)), lambda _: None)


@pytest.mark.parametrize("side", [9_000.0, 1e6, 1e300])
def test_a_box_larger_than_the_picture_costs_no_more_than_the_picture(
    restorer: Restorer, small_portrait: Image.Image, tmp_path: Path, side: float
) -> None:
    """However far a box reaches out of the picture, the work stays that of a face as large as the picture."""
    small_portrait.save(tmp_path / "in.png")
    given = Box(x=-side / 2, y=-side / 2, width=side, height=side, score=1.0)
    result = restorer.restore(tmp_path / "in.png", tmp_path / "out", Options(boxes=(given,)), lambda _: None)
    assert len(result.faces) == 1


@pytest.mark.parametrize(("side", "size"), [(513, 1.0), (524, 5.0), (1030, 3.0), (1, 1.0), (2, 5.0)])
def test_silver_grain_has_no_block_where_a_tile_is_cut_short(side: int, size: float) -> None:
    """The last pixels of a picture carry grain as strong as all the others."""
    picture = np.full((side, side, 3), 128, np.uint8)
    add_grain(picture, Grain(model="silver", density=0.5, size=size, strength=0.1), seed=1)
    assert np.abs(picture.astype(int) - 128).max() < 40


def test_hidden_colours_do_not_show(restorer: Restorer, astronaut: Image.Image, tmp_path: Path) -> None:
    """What colour the transparent pixels of a cut-out have makes no difference to the face."""
    outs = []
    cut_out = np.zeros((512, 512), np.uint8)
    cut_out[20:260, 150:310] = 255
    for number, hidden in enumerate([(255, 0, 0), (0, 255, 0)]):
        rgb = np.where(cut_out[..., None] > 0, np.asarray(astronaut), np.uint8(hidden)).astype(np.uint8)
        picture = Image.fromarray(np.dstack([rgb, cut_out]), "RGBA")
        picture.save(tmp_path / f"{number}.png")
        restorer.restore(tmp_path / f"{number}.png", tmp_path / "out", Options(output_format="png"), lambda _: None)
        with Image.open(tmp_path / "out") as out:
            outs.append(np.asarray(out.convert("RGBA"))[cut_out > 0].astype(int))
    assert np.abs(outs[0] - outs[1]).max() <= 2


def test_further_pages_are_mentioned(restorer: Restorer, small_portrait: Image.Image, tmp_path: Path) -> None:
    """Of a file with several pictures the first is restored, and the result says so."""
    small_portrait.save(tmp_path / "in.tif", save_all=True, append_images=[small_portrait, small_portrait])
    result = restorer.restore(tmp_path / "in.tif", tmp_path / "out", Options(), lambda _: None)
    assert "the file holds 3 pictures; only the first was restored" in result.warnings
