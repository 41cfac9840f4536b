"""One upscaler for all tests of this folder, and a small portrait for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import skimage.data
from PIL import Image

from engine.upscale.upscaler import Enhanced, Options, Upscaler

Enhance = Callable[..., tuple[Enhanced, Image.Image]]


@pytest.fixture(scope="session")
def upscaler() -> Upscaler:
    return Upscaler(threads=1)


@pytest.fixture(scope="session")
def portrait() -> Image.Image:
    """40 x 40, a face."""
    return Image.fromarray(skimage.data.astronaut()).crop((150, 20, 310, 180)).resize((40, 40), Image.Resampling.BOX)


@pytest.fixture
def enhance(upscaler: Upscaler, tmp_path: Path) -> Enhance:
    """Upscale an image and give the result with the output."""

    def run(image: Image.Image, **options: object) -> tuple[Enhanced, Image.Image]:
        source, target = tmp_path / "in.png", tmp_path / "out"
        image.save(source, exif=image.getexif(), icc_profile=image.info.get("icc_profile"))
        settings = Options(**{"output_format": "png", **options})  # type: ignore[arg-type]
        result = upscaler.enhance(source, target, settings, lambda _: None)
        with Image.open(target) as opened:
            opened.load()
            return result, opened

    return run
