"""One picture through the whole flow: faces get better, everything else stays."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageCms, ImageFilter, ImageOps

from engine.demo.group import compose_group
from engine.errors import InputError
from engine.faces.options import Box, Grain, Options
from engine.faces.resize import resize
from engine.faces.restoration import Restorer
from tests.faces.conftest import Restore

FACE = np.s_[60:178, 185:270]  # rows and columns of the astronaut's face
AWAY = np.s_[300:, :]  # far below any mask


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / ((one.astype(float) - other) ** 2).mean()))


def damaged(astronaut: Image.Image, factor: int = 4) -> Image.Image:
    side = 512 // factor
    blurred = astronaut.filter(ImageFilter.GaussianBlur(factor / 2)).resize((side, side), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 4, (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(blurred) + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("factor", [3, 4, 6])
def test_a_damaged_face_gets_nearer_to_the_original(restore: Restore, astronaut: Image.Image, factor: int) -> None:
    """Restored, a face of 20 to 40 px is nearer to the sound one than merely enlarged, and sharper."""
    small, original = damaged(astronaut, factor), np.asarray(astronaut)[FACE]
    _, plain = restore(small, output_width=512, strength=0.0)
    _, restored = restore(small, output_width=512)
    assert psnr(restored[FACE], original) > psnr(plain[FACE], original)
    contrasts = [np.abs(np.diff(each[FACE].astype(int), axis=0)).mean() for each in (plain, restored)]
    assert contrasts[1] > contrasts[0]


def test_strength_0_is_the_resized_input(restore: Restore, astronaut: Image.Image) -> None:
    """Without strength the picture is resized, and nothing else."""
    result, pixels = restore(astronaut, output_width=700, strength=0.0)
    assert len(result.faces) == 1
    assert np.array_equal(pixels, resize(np.asarray(astronaut), None, 700, 700)[0])


def test_strength_mixes(restore: Restore, astronaut: Image.Image) -> None:
    """Half the strength is half way between the input and the full restoration, to rounding."""
    small = damaged(astronaut)
    none, half, full = (restore(small, output_width=512, strength=each)[1].astype(int) for each in (0.0, 0.5, 1.0))
    assert np.abs(full - none).max() > 30
    assert np.abs(2 * half - none - full).max() <= 2


def test_only_faces_change(restore: Restore, astronaut: Image.Image) -> None:
    """Away from the face, each pixel is that of the resized input."""
    small = damaged(astronaut)
    _, plain = restore(small, output_width=512, strength=0.0)
    _, restored = restore(small, output_width=512)
    assert np.array_equal(restored[AWAY], plain[AWAY])
    assert (restored[FACE] != plain[FACE]).any(axis=2).mean() > 0.9


def test_there_is_no_seam(restore: Restore, astronaut: Image.Image) -> None:
    """The change grows softly from nothing: no step where a mask begins."""
    small = damaged(astronaut)
    _, plain = restore(small, output_width=512, strength=0.0)
    _, restored = restore(small, output_width=512)
    change = np.abs(restored.astype(int) - plain).max(axis=2)
    touched = change[(change > 0).any(axis=1)]
    rim = [row[np.flatnonzero(row)[at]] for row in touched for at in (0, -1)]
    assert len(rim) > 200
    assert max(rim) <= 4


def test_colours_stay(restore: Restore, astronaut: Image.Image) -> None:
    """Restoring gives a face no cast: its mean colour moves by a step or two, tinted light or not."""
    tinted = np.asarray(damaged(astronaut)) * np.array([0.75, 1.0, 0.8])
    for small in (damaged(astronaut), Image.fromarray(tinted.astype(np.uint8))):
        _, plain = restore(small, output_width=512, strength=0.0)
        _, restored = restore(small, output_width=512)
        assert np.abs(restored[FACE].mean(axis=(0, 1)) - plain[FACE].mean(axis=(0, 1))).max() < 2


def test_grey_stays_grey(restore: Restore, astronaut: Image.Image) -> None:
    """A black-and-white portrait gets no tint anywhere."""
    result, pixels = restore(ImageOps.grayscale(damaged(astronaut)), output_width=512)
    assert len(result.faces) == 1
    assert np.ptp(pixels, axis=2).max() == 0


def test_sepia_stays_sepia(restore: Restore, astronaut: Image.Image) -> None:
    """A toned portrait keeps its one tone: no red lips, no blue eyes."""
    toned = ImageOps.colorize(ImageOps.grayscale(damaged(astronaut)), "#22160c", "#f4e6d0")
    _, plain = restore(toned, output_width=512, strength=0.0)
    _, restored = restore(toned, output_width=512)
    for pixels in (plain, restored):
        colour = pixels[FACE].astype(int)
        assert np.std(colour[..., 0] - colour[..., 2]) < 8


def test_a_sharp_large_face_does_not_lose_detail(restore: Restore, astronaut: Image.Image) -> None:
    """A face of more pixels than the model has stays as sharp as it came."""
    large = astronaut.crop((130, 20, 330, 220)).resize((1200, 1200), Image.Resampling.LANCZOS)
    texture = np.random.default_rng(0).normal(0, 6, (1200, 1200, 1))
    sharp = Image.fromarray(np.clip(np.asarray(large) + texture, 0, 255).astype(np.uint8))
    result, pixels = restore(sharp)
    before, after = (np.diff(each[400:900, 400:800].astype(int), axis=0).std() for each in (np.asarray(sharp), pixels))
    assert max(result.faces[0].box[2:]) > 512
    assert after > 0.95 * before


def test_a_large_face_is_warned_of(restore: Restore, astronaut: Image.Image) -> None:
    """Above 512 px the answer passes on the advice of the model page; below it says nothing."""
    large = astronaut.crop((130, 20, 330, 220)).resize((1000, 1000))
    (warning,) = restore(large)[0].warnings
    assert "Detail Faces" in warning
    assert restore(astronaut)[0].warnings == ()


def test_no_face_is_no_error(restore: Restore) -> None:
    """A picture without a face is resized, and the answer says so."""
    result, pixels = restore(Image.fromarray(skimage.data.coffee()), output_width=300)
    assert result.faces == ()
    assert result.warnings == ("no face was found; the picture was only resized",)
    assert pixels.shape == (200, 300, 3)


def test_many_faces(restore: Restore) -> None:
    """More faces than fit one batch are all restored."""
    group = compose_group(Image.fromarray(skimage.data.astronaut()), np.random.default_rng(0)).resize((512, 288))
    result, restored = restore(group, output_width=1024)
    _, plain = restore(group, output_width=1024, strength=0.0)
    assert len(result.faces) == 9
    for face in result.faces:
        x, y = (round(2 * (face.box[at] + face.box[at + 2] / 2)) for at in (0, 1))
        here = np.s_[y - 8 : y + 8, x - 8 : x + 8]
        assert np.abs(restored[here].astype(int) - plain[here]).mean() > 1


def test_given_boxes_are_the_faces(restore: Restore, astronaut: Image.Image) -> None:
    """Boxes replace the search: they come back as given, and an empty list restores nothing."""
    box = Box(x=180, y=58, width=90, height=120, score=0.77)
    result, pixels = restore(astronaut, boxes=(box,))
    assert [(face.box, face.score) for face in result.faces] == [((180, 58, 90, 120), 0.77)]
    assert (pixels[FACE] != np.asarray(astronaut)[FACE]).any()
    assert np.array_equal(restore(astronaut, boxes=())[1], np.asarray(astronaut))


def test_a_face_reaching_out_of_the_picture(restore: Restore, astronaut: Image.Image) -> None:
    """A face that the border cuts is restored up to the border."""
    small = damaged(astronaut.crop((60, 75, 316, 331)).resize((512, 512)), 4)
    result, restored = restore(small, output_width=512)
    _, plain = restore(small, output_width=512, strength=0.0)
    assert len(result.faces) == 1
    assert np.abs(restored[0:20, 240:400].astype(int) - plain[0:20, 240:400]).mean() > 1


def test_a_turned_face(restore: Restore, astronaut: Image.Image) -> None:
    """A head held at a slant is restored at that slant."""
    slanted = astronaut.rotate(25, Image.Resampling.BICUBIC, center=(226, 118), fillcolor=(190, 180, 178))
    _, plain = restore(damaged(slanted), output_width=512, strength=0.0)
    _, restored = restore(damaged(slanted), output_width=512)
    original = np.asarray(slanted)[FACE]
    assert psnr(restored[FACE], original) > psnr(plain[FACE], original)


def test_uneven_sizes(restore: Restore, astronaut: Image.Image) -> None:
    """Both sides given stretch the picture, and the restored face with it."""
    small = damaged(astronaut)
    result, pixels = restore(small, output_width=512, output_height=256)
    _, plain = restore(small, output_width=512, output_height=256, strength=0.0)
    original = np.asarray(astronaut.resize((512, 256), Image.Resampling.LANCZOS))
    face = np.s_[30:89, 185:270]
    assert (result.output_width, result.output_height) == (512, 256)
    assert psnr(pixels[face], original[face]) > psnr(plain[face], original[face])


def test_alpha_profile_and_exif_come_along(restorer: Restorer, astronaut: Image.Image, tmp_path: Path) -> None:
    """PNG and TIFF keep alpha, JPEG lays it on white; profile and EXIF are in all three."""
    profile, exif = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), Image.Exif()
    exif[0x013B] = "A. Photographer"
    picture = astronaut.copy()
    picture.putalpha(Image.linear_gradient("L").resize((512, 512)))
    picture.save(tmp_path / "in.png", icc_profile=profile, exif=exif)
    for form, mode in (("png", "RGBA"), ("tiff", "RGBA"), ("jpeg", "RGB")):
        options = Options(output_format=form, output_width=256)  # type: ignore[arg-type]
        restorer.restore(tmp_path / "in.png", tmp_path / "out", options, lambda _: None)
        with Image.open(tmp_path / "out") as out:
            assert (out.format, out.mode, out.size) == (form.upper(), mode, (256, 256))
            assert out.info["icc_profile"] == profile
            assert out.getexif()[0x013B] == "A. Photographer"
            if form == "jpeg":
                assert np.asarray(out)[:3].min() > 245


def test_jpeg_keeps_full_colour(restore: Restore, astronaut: Image.Image, tmp_path: Path) -> None:
    """JPEG output halves no colour and is of high quality."""
    _, pixels = restore(astronaut, output_format="jpeg", strength=0.0)
    with Image.open(tmp_path / "out") as out:
        assert [layer[1:3] for layer in out.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
    assert psnr(pixels, np.asarray(astronaut)) > 40


def test_grain_is_laid_over_all_and_repeats(restore: Restore, small_portrait: Image.Image) -> None:
    """Grain covers the whole output; the same seed gives the same file."""
    grain = Grain(model="grey", density=1.0, strength=0.5)
    _, plain = restore(small_portrait)
    _, once = restore(small_portrait, grain=grain, seed=3)
    _, again = restore(small_portrait, grain=grain, seed=3)
    assert np.array_equal(once, again)
    assert (once != plain).any(axis=2).mean() > 0.9


def test_progress_rises_to_100(restorer: Restorer, small_portrait: Image.Image, tmp_path: Path) -> None:
    """Progress is told in rising whole percents and ends at 100."""
    told: list[int] = []
    small_portrait.save(tmp_path / "in.jpg")
    restorer.restore(tmp_path / "in.jpg", tmp_path / "out.jpg", Options(), told.append)
    assert told == sorted(told)
    assert len(told) >= 4
    assert all(type(percent) is int and 0 <= percent <= 100 for percent in told)
    assert told[-1] == 100


def test_a_refused_picture_leaves_no_file(restorer: Restorer, small_portrait: Image.Image, tmp_path: Path) -> None:
    """Bad options and bad pictures raise InputError before anything is written."""
    small_portrait.save(tmp_path / "in.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    outside = (Box(x=900, y=0, width=9, height=9),)
    for name, options in (
        ("in.jpg", Options(output_width=40_000)),
        ("in.jpg", Options(boxes=outside)),
        ("bad.jpg", Options()),
    ):
        with pytest.raises(InputError):
            restorer.restore(tmp_path / name, tmp_path / "out.jpg", options, lambda _: None)
    assert not (tmp_path / "out.jpg").exists()


def test_the_door_needs_no_library(tmp_path: Path) -> None:
    """Importing the door loads neither numpy nor onnxruntime; they are asked for when a Restorer is made."""
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['numpy', 'onnx', 'onnxruntime']))\n"
        "from engine.errors import MissingExtra\n"
        "from engine.faces.restoration import Options, Restorer\n"
        "Options()\n"
        "try: Restorer()\n"
        "except MissingExtra as missing: print(missing)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "pip install 'face-recovery-engine[local]'" in done.stdout


def test_one_restorer_serves_several_threads(restorer: Restorer, small_portrait: Image.Image, tmp_path: Path) -> None:
    """Threads that share a Restorer get the same picture as one that is alone."""
    small_portrait.save(tmp_path / "in.jpg")

    def restored(number: int) -> bytes:
        target = tmp_path / f"out{number}.jpg"
        restorer.restore(tmp_path / "in.jpg", target, Options(), lambda _: None)
        return target.read_bytes()

    alone = restored(0)
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(restored, range(1, 9))) == {alone}
