"""Inputs that can be told apart: no two have the same size in pixels, so no output can stand for another."""

from pathlib import Path

from PIL import Image

__all__ = ["fill_folder"]

_LEAST_PX = 32
_COLUMNS = 100
_LARGE_EVERY = 100
_LARGE_PX = 5000  # 25 megapixels cost 2 credits, all others 1


def fill_folder(folder: Path, count: int) -> Path:
    """Make `folder` with `count` JPEGs."""
    folder.mkdir(parents=True)
    for number in range(count):
        width, height = _LEAST_PX + number % _COLUMNS, _LEAST_PX + number // _COLUMNS
        if number % _LARGE_EVERY == _LARGE_EVERY // 2:
            width, height = _LARGE_PX + number, _LARGE_PX
        Image.new("L", (width, height), number % 256).save(folder / f"{number:05d}.jpg", "JPEG")
    return folder
