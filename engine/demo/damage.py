"""Damaged pictures to try the engine on: one portrait, hurt in the ways that archives hurt portraits.

The portrait is scikit-image's `astronaut` (Eileen Collins, NASA, public domain), which its wheel carries: nothing is
downloaded. Sizes are honest: faces of 24 to 80 px, where restoration has something to add.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import skimage.data
from PIL import Image, ImageFilter

from engine.demo.group import compose_group

__all__ = ["Sample", "make_damaged"]

Region = tuple[float, float, float, float]  # left, top, width, height as shares of the picture

PORTRAIT: Final = (76, 0, 396, 320)  # of the astronaut's 512 x 512: head and shoulders
PORTRAIT_FACE: Final[Region] = (0.22, 0.02, 0.56, 0.56)
GROUP_FACES: Final[Region] = (0.235, 0.1, 0.34, 0.604)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A damaged picture, the sound one it was made from, and how to show them."""

    name: str
    path: Path  # damaged
    original: Path  # undamaged, upright, of any larger size but the same view
    title: str
    description: str  # one line: what was done to it
    output_width: int  # px; the width to restore it to: at its own size a tiny face has no room for detail
    close_up: Region  # the part worth looking at


def make_damaged(folder: Path, seed: int = 0) -> list[Sample]:
    """Write the damaged pictures into `folder`, the sound ones into `folder/originals`; both are created.

    The same seed gives the same pixels. Needs the extra `local`; trouble with writing raises OSError.
    """
    originals = folder / "originals"
    originals.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    astronaut = Image.fromarray(skimage.data.astronaut())
    portrait, group = astronaut.crop(PORTRAIT), compose_group(astronaut, random)
    portrait.save(originals / "portrait.png")
    group.save(originals / "group.png")
    samples = []
    for recipe in RECIPES:
        sound, name = (group, "group") if recipe.name == "group" else (portrait, "portrait")
        path = folder / f"{recipe.name}{recipe.suffix}"
        path.write_bytes(recipe.damage(sound, random))
        samples.append(
            Sample(
                name=recipe.name,
                path=path,
                original=originals / f"{name}.png",
                title=recipe.title,
                description=recipe.description,
                output_width=recipe.output_width,
                close_up=GROUP_FACES if name == "group" else PORTRAIT_FACE,
            )
        )
    return samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One way to hurt a picture: gives the bytes of a file."""

    name: str
    suffix: str
    title: str
    description: str
    output_width: int
    damage: Callable[[Image.Image, np.random.Generator], bytes]


def _tiny(sound: Image.Image, _: np.random.Generator) -> bytes:
    return _jpeg(_shrunk(sound, 76), 75)


def _blurred(sound: Image.Image, random: np.random.Generator) -> bytes:
    return _jpeg(_noised(_shrunk(sound, 200).filter(ImageFilter.GaussianBlur(2.2)), 2, random), 80)


def _crushed(sound: Image.Image, _: np.random.Generator) -> bytes:
    return _jpeg(_shrunk(sound, 208), 8)


def _noisy(sound: Image.Image, random: np.random.Generator) -> bytes:
    return _png(_noised(_shrunk(sound, 160), 22, random))


def _group(sound: Image.Image, random: np.random.Generator) -> bytes:
    small = sound.resize((sound.width * 4 // 10, sound.height * 4 // 10), Image.Resampling.LANCZOS)
    return _jpeg(_noised(small.filter(ImageFilter.GaussianBlur(0.6)), 4, random), 40)


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _noised(image: Image.Image, deviation: float, random: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image, np.float64)
    pixels = pixels + random.normal(0, deviation, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


RECIPES: Final = (
    Recipe(
        name="tiny",
        suffix=".jpg",
        title="Tiny",
        description="the face is 26 px high",
        output_width=640,
        damage=_tiny,
    ),
    Recipe(
        name="blurred",
        suffix=".jpg",
        title="Out of focus",
        description="a face of 70 px, blurred",
        output_width=640,
        damage=_blurred,
    ),
    Recipe(
        name="crushed",
        suffix=".jpg",
        title="Crushed",
        description="a face of 74 px, JPEG quality 8",
        output_width=640,
        damage=_crushed,
    ),
    Recipe(
        name="noisy",
        suffix=".png",
        title="Noisy",
        description="a face of 60 px in heavy noise",
        output_width=640,
        damage=_noisy,
    ),
    Recipe(
        name="group",
        suffix=".jpg",
        title="Group",
        description="nine faces of 25 to 37 px, blur, noise, JPEG quality 40",
        output_width=1280,
        damage=_group,
    ),
)
