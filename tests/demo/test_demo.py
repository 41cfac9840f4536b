"""The demo shows true damage, true repair, and both on one sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.demo.contact_sheet import CELL_PX, Row, draw
from engine.demo.damage import Sample, make_damaged
from engine.faces.restoration import Options, Restorer


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Sample]:
    return make_damaged(tmp_path_factory.mktemp("demo"))


def close_up(path: Path, region: tuple[float, float, float, float]) -> np.ndarray:
    left, top, width, height = region
    with Image.open(path) as image:
        w, h = image.size
        box = (left * w, top * h, (left + width) * w, (top + height) * h)
        return np.asarray(image.convert("RGB").resize((256, 256), Image.Resampling.BICUBIC, box=box), float)


def test_the_samples(samples: Sequence[Sample]) -> None:
    """Five kinds of damage are there, each smaller than or as small as its original, with a word on it."""
    assert [sample.name for sample in samples] == ["tiny", "blurred", "crushed", "noisy", "group"]
    for sample in samples:
        with Image.open(sample.path) as damaged, Image.open(sample.original) as original:
            assert damaged.width < original.width
            assert damaged.width / damaged.height == pytest.approx(original.width / original.height, rel=0.02)
        assert sample.title
        assert sample.description


def test_the_same_seed_gives_the_same_files(samples: Sequence[Sample], tmp_path: Path) -> None:
    """The demo is the same for everyone, and another seed makes other damage."""
    again, other = make_damaged(tmp_path / "again"), make_damaged(tmp_path / "other", seed=1)
    assert [each.path.read_bytes() for each in again] == [each.path.read_bytes() for each in samples]
    assert other[3].path.read_bytes() != samples[3].path.read_bytes()


def test_restoring_helps_every_sample(samples: Sequence[Sample], tmp_path: Path) -> None:
    """Each restored close-up is nearer to the original than the damaged one, and every face is found."""
    restorer = Restorer(threads=2)
    for sample in samples:
        after = tmp_path / sample.name
        options = Options(output_format="png", output_width=sample.output_width)
        result = restorer.restore(sample.path, after, options, lambda _: None)
        assert len(result.faces) == (9 if sample.name == "group" else 1)
        original, before, restored = (close_up(path, sample.close_up) for path in (sample.original, sample.path, after))
        assert ((restored - original) ** 2).mean() < ((before - original) ** 2).mean()


def test_the_sheet_has_a_cell_for_each_picture(samples: Sequence[Sample], tmp_path: Path) -> None:
    """Every row shows before, after and, where there is one, the original."""
    rows = [
        Row(title=each.title, before=each.path, after=each.path, original=each.original, close_up=each.close_up)
        for each in samples[:2]
    ]
    draw(rows, tmp_path / "three.png")
    draw([Row(title="No original", before=samples[0].path, after=samples[0].path)], tmp_path / "two.png")
    with Image.open(tmp_path / "three.png") as three, Image.open(tmp_path / "two.png") as two:
        assert three.format == "PNG"
        assert three.width - two.width > CELL_PX
        assert three.height - two.height > CELL_PX


def test_dark_on_light(samples: Sequence[Sample], tmp_path: Path) -> None:
    """The sheet is paper-light with dark lettering above its cells."""
    draw([Row(title="Tiny", before=samples[0].path, after=samples[0].path)], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        grey = np.asarray(sheet.convert("L"))
    assert np.median(grey[:30]) > 240
    assert grey[36:70, 36:120].min() < 60


def test_wide_and_turned_pictures_fit_their_cells(tmp_path: Path) -> None:
    """A panorama and a phone picture with EXIF orientation are shown whole and upright."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (900, 20), "red").save(tmp_path / "wide.png")
    Image.new("RGB", (60, 30), "blue").save(tmp_path / "turned.jpg", exif=exif)
    draw([Row(title="Odd", before=tmp_path / "wide.png", after=tmp_path / "turned.jpg")], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet).astype(int)
    blue = (pixels[..., 2] > 200) & (pixels[..., 0] < 60)
    rows, columns = np.nonzero(blue)
    assert np.ptp(rows) > 1.8 * np.ptp(columns)
