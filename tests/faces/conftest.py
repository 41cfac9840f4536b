"""One restorer, one detector and one portrait for all tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
from PIL import Image

from engine.faces.detect import Detector
from engine.faces.restoration import Options, Restored, Restorer

Pixels = npt.NDArray[np.uint8]
Restore = Callable[..., tuple[Restored, Pixels]]


@pytest.fixture(scope="session")
def restorer() -> Restorer:
    return Restorer(threads=2)


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector(threads=2, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="session")
def astronaut() -> Image.Image:
    """512 x 512, one face of about 88 x 120 px at (181, 58)."""
    return Image.fromarray(skimage.data.astronaut())


@pytest.fixture(scope="session")
def small_portrait(astronaut: Image.Image) -> Image.Image:
    """160 x 160, one face of about 46 x 60 px."""
    return astronaut.crop((76, 0, 396, 320)).resize((160, 160), Image.Resampling.LANCZOS)


@pytest.fixture
def restore(restorer: Restorer, tmp_path: Path) -> Restore:
    """Restore an image and give the result with the pixels of the output."""

    def run(image: Image.Image, **options: object) -> tuple[Restored, Pixels]:
        source, target = tmp_path / "in.png", tmp_path / "out"
        image.save(source)
        settings = Options(**{"output_format": "png", **options})  # type: ignore[arg-type]
        result = restorer.restore(source, target, settings, lambda _: None)
        with Image.open(target) as opened:
            return result, np.array(opened)

    return run
