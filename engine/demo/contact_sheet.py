"""Before and after, side by side on one PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

__all__ = ["Row", "draw"]

CELL_PX: Final = 340
GAP_PX: Final = 14
MARGIN_PX: Final = 36
TITLE_PX: Final = 52  # above each row
HEAD_PX: Final = 44  # the columns' names
PAPER: Final = (250, 250, 247)
INK: Final = (28, 30, 34)
PALE_INK: Final = (104, 108, 114)
WHOLE: Final = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One picture's story. All its pictures show the same view, at whatever size."""

    title: str
    before: Path
    after: Path
    original: Path | None = None
    description: str = ""
    close_up: tuple[float, float, float, float] = WHOLE  # left, top, width, height as shares of the picture


def draw(rows: Sequence[Row], target: Path) -> None:
    """Write the sheet as PNG to `target`. OSError if a picture can't be read or the sheet not written."""
    columns = ["Before", "After"] + ["Original"] * any(row.original for row in rows)
    width = 2 * MARGIN_PX + len(columns) * CELL_PX + (len(columns) - 1) * GAP_PX
    height = 2 * MARGIN_PX + HEAD_PX + len(rows) * (TITLE_PX + CELL_PX) - GAP_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for column, name in enumerate(columns):
        pen.text((_left(column), MARGIN_PX), name, INK, ImageFont.load_default(22))
    for number, row in enumerate(rows):
        _draw_row(sheet, pen, row, MARGIN_PX + HEAD_PX + number * (TITLE_PX + CELL_PX))
    sheet.save(target, "PNG")


def _draw_row(sheet: Image.Image, pen: ImageDraw.ImageDraw, row: Row, top: int) -> None:
    large, small = ImageFont.load_default(18), ImageFont.load_default(16)
    baseline = top + TITLE_PX - GAP_PX - 4
    pen.text((MARGIN_PX, baseline), row.title, INK, large, anchor="ls")
    after_title = MARGIN_PX + pen.textlength(row.title, large) + 12
    pen.text((after_title, baseline), row.description, PALE_INK, small, anchor="ls")
    for column, path in enumerate((row.before, row.after, row.original)):
        if path is not None:
            sheet.paste(_cell(path, row.close_up), (_left(column), top + TITLE_PX - GAP_PX))


def _cell(path: Path, close_up: tuple[float, float, float, float]) -> Image.Image:
    """The part worth looking at, fitted into a square cell. Enlarged as a viewer would, so `before` stays honest."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    left, top, width, height = close_up
    box = (left * image.width, top * image.height, (left + width) * image.width, (top + height) * image.height)
    aspect = (box[2] - box[0]) / (box[3] - box[1])
    size = (CELL_PX, max(1, round(CELL_PX / aspect))) if aspect > 1 else (max(1, round(CELL_PX * aspect)), CELL_PX)
    part = image.resize(size, Image.Resampling.BICUBIC, box=box, reducing_gap=3.0)
    cell = Image.new("RGB", (CELL_PX, CELL_PX), PAPER)
    cell.paste(part, ((CELL_PX - size[0]) // 2, (CELL_PX - size[1]) // 2))
    return cell


def _left(column: int) -> int:
    return MARGIN_PX + column * (CELL_PX + GAP_PX)
