"""From every pixel format Pillow hands out to 8-bit RGB and alpha, with the colours kept."""

import io
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from engine.faces.picture import Pixels

__all__ = ["to_rgb"]

BITS_PER_SAMPLE: Final = 258  # TIFF tag
PHOTOMETRIC: Final = 262  # TIFF tag; 0: white is zero


def to_rgb(image: Image.Image) -> tuple[Pixels, Pixels | None, bytes | None]:
    """RGB (h x w x 3), alpha (h x w, None if the picture has none), and the ICC profile these RGB values are in.

    An RGB picture keeps its values and its profile. Grey and CMYK pictures with a profile are converted to sRGB,
    since their profile can't describe RGB values; the returned profile is then None.
    """
    icc: bytes | None = image.info.get("icc_profile") or None
    image = _eight_bits(image)
    alpha = None
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("RGBA")
        alpha = np.array(image.getchannel("A"))
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode in ("L", "1"):
        return _grey_to_rgb(image.convert("L"), icc), alpha, None
    if image.mode in ("CMYK", "LAB"):
        return np.array(_to_srgb(image, icc)), alpha, None
    return np.array(image.convert("RGB")), alpha, icc if _space(icc) == b"RGB " else None


def _eight_bits(image: Image.Image) -> Image.Image:
    """Modes of 16 and 32 bits a pixel (grey, all of them) as 8-bit grey; others as they are."""
    if not image.mode.startswith(("I", "F")):
        return image
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
        grey = _stretch(values, 0, 2**bits - 1)
        # Pillow turns "white is zero" round for 8 bits and forgets it for 16.
        return Image.fromarray(255 - grey if tags.get(PHOTOMETRIC) == 0 else grey)
    return Image.fromarray(_stretch(values, *_range(values)))


def _range(values: npt.NDArray[np.generic]) -> tuple[float, float]:
    """Black and white of 32-bit grey, which no header tells: a customary range that holds all, or the extremes."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    whites = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    if low >= 0 and high <= whites[-1]:
        return 0.0, next(white for white in whites if high <= white)
    return low, high


def _stretch(values: npt.NDArray[np.generic], black: float, white: float) -> Pixels:
    scaled = np.nan_to_num(np.asarray(values, np.float32), nan=black) - np.float32(black)
    scaled *= np.float32(255 / max(white - black, 1e-12))
    rounded: Pixels = np.clip(scaled + 0.5, 0, 255).astype(np.uint8)
    return rounded


def _grey_to_rgb(image: Image.Image, icc: bytes | None) -> Pixels:
    # A transform of grey may leave the axis by a step of rounding; green carries most of the light.
    converted = _to_srgb(image, icc).getchannel("G") if _space(icc) == b"GRAY" else image
    return np.array(Image.merge("RGB", [converted] * 3))


def _to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """By the profile where it fits the pixels, otherwise by Pillow's plain formula."""
    spaces = {"L": b"GRAY", "CMYK": b"CMYK", "LAB": b"Lab "}
    fits = _space(icc) == spaces[image.mode]
    try:
        if fits or image.mode == "LAB":
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc)) if fits and icc else ImageCms.createProfile("LAB")
            changed = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if changed is not None:
                return changed
    except ImageCms.PyCMSError:
        if image.mode == "LAB":
            raise
    return image.convert("RGB")


def _space(icc: bytes | None) -> bytes:
    """The colour space an ICC profile speaks of: bytes 16-19 of its header (ICC.1:2022, 7.2)."""
    return icc[16:20] if icc else b""
