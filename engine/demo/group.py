"""A group picture made of one portrait: two rows of people before a studio wall."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

__all__ = ["compose_group"]

SIZE: Final = (1280, 720)
WALL: Final = (198, 187, 184)  # the portrait's own backdrop, so that soft edges do not glow
# Around the person in the 512 x 512 portrait, clockwise from the hair's left side.
OUTLINE: Final = (
    *((151, 75), (165, 32), (200, 14), (250, 14), (290, 40), (303, 80), (296, 115), (274, 136), (268, 165), (292, 192)),
    *((306, 235), (306, 258), (340, 268), (358, 310), (362, 350), (300, 400), (278, 450), (278, 512), (110, 512)),
    *((25, 440), (22, 400), (40, 290), (60, 255), (104, 218), (112, 200), (124, 166), (180, 146), (166, 120)),
)
OUTLINE_SOFT_PX: Final = 1.5
OUTLINE_INSET_PX: Final = 7  # odd; cuts off the hem of backdrop that the outline includes
BENCH_TOP: Final = 408  # px; what stands between the rows, and hides where the back row's cut-outs end
BENCH: Final = (158, 138, 124)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one person stands."""

    x: int  # of the face's middle, px
    y: int  # of the hair's top, px
    scale: float
    mirrored: bool
    tint: tuple[float, float, float]  # factors for red, green, blue


BACK_ROW: Final = (
    Place(x=120, y=118, scale=0.74, mirrored=False, tint=(1.0, 0.96, 0.90)),
    Place(x=375, y=96, scale=0.70, mirrored=True, tint=(0.92, 0.95, 1.0)),
    Place(x=640, y=112, scale=0.72, mirrored=False, tint=(0.84, 0.80, 0.76)),
    Place(x=900, y=92, scale=0.70, mirrored=True, tint=(1.0, 1.0, 1.0)),
    Place(x=1165, y=116, scale=0.73, mirrored=True, tint=(0.94, 0.88, 0.82)),
)
FRONT_ROW: Final = (
    Place(x=245, y=312, scale=0.84, mirrored=True, tint=(1.0, 0.98, 0.95)),
    Place(x=1035, y=318, scale=0.84, mirrored=False, tint=(0.90, 0.93, 0.97)),
    Place(x=510, y=300, scale=0.90, mirrored=False, tint=(0.88, 0.84, 0.80)),
    Place(x=775, y=416, scale=0.66, mirrored=True, tint=(1.0, 0.97, 0.94)),
)


def compose_group(portrait: Image.Image, random: np.random.Generator) -> Image.Image:
    """1280 x 720 RGB, from the 512 x 512 portrait; `random` mottles the wall."""
    picture = _wall(random)
    person = portrait.convert("RGBA")
    person.putalpha(_cut_out(portrait.size))
    for place in BACK_ROW:
        _put(picture, person, place)
    _draw_bench(picture)
    for place in FRONT_ROW:
        _put(picture, person, place)
    return picture


def _wall(random: np.random.Generator) -> Image.Image:
    """A lit backdrop: brightest behind the group, with the clouds of painted cloth."""
    clouds = Image.fromarray(random.normal(0, 9, (9, 16)).astype(np.float32)).resize(SIZE, Image.Resampling.BICUBIC)
    across, down = np.meshgrid(np.linspace(-1, 1, SIZE[0]), np.linspace(-1, 1, SIZE[1]))
    light = 1.04 - 0.22 * (across**2 + (down + 0.3) ** 2)
    pixels = np.array(WALL) * light[..., None] + np.asarray(clouds)[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _cut_out(size: tuple[int, int]) -> Image.Image:
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon(OUTLINE, fill=255)
    return mask.filter(ImageFilter.MinFilter(OUTLINE_INSET_PX)).filter(ImageFilter.GaussianBlur(OUTLINE_SOFT_PX))


def _draw_bench(picture: Image.Image) -> None:
    pen = ImageDraw.Draw(picture)
    for row in range(BENCH_TOP, SIZE[1]):
        light = 1.5 if row < BENCH_TOP + 10 else 1.0 - 0.4 * (row - BENCH_TOP) / (SIZE[1] - BENCH_TOP)
        pen.line([(0, row), (SIZE[0], row)], tuple(round(band * light) for band in BENCH))


def _put(picture: Image.Image, person: Image.Image, place: Place) -> None:
    side = round(512 * place.scale)
    figure = person.resize((side, side), Image.Resampling.LANCZOS)
    middle, top = 226 * place.scale, 14 * place.scale  # where the portrait has its face and its hair's top
    if place.mirrored:
        figure, middle = ImageOps.mirror(figure), side - middle
    red, green, blue, alpha = figure.split()
    bands = [
        band.point([round(value * factor) for value in range(256)])
        for band, factor in zip((red, green, blue), place.tint, strict=True)
    ]
    picture.paste(Image.merge("RGB", bands), (round(place.x - middle), round(place.y - top)), mask=alpha)
