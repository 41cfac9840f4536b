"""What an upload says it is: format by magic bytes and size by its header. Decodes no pixels.

The caps stand before decoding, so a small file that unpacks to gigabytes is refused for what its header says.
"""

from dataclasses import dataclass
from pathlib import Path

import imagesize

from engine.job.parameters import MAX_SIDE_PX
from engine.service.refusal import Refusal

__all__ = ["MAX_PIXELS", "PictureHead", "read_head", "sniff"]

MAX_PIXELS = 100_000_000  # the largest picture the contract prices is 100 MP
_HEAD_BYTES = 32

_ACCEPTED = {"JPEG": "jpeg", "PNG": "png", "TIFF": "tiff"}
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1f\x8b", "gzip"),
    (b"\0\0\0\x0cjP", "JPEG 2000"),
    (b"\xff\n", "JPEG XL"),
    (b"<", "HTML, XML or SVG"),
    (b"{", "JSON"),
)
_ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureHead:
    """Format and upright size, in pixels, as the header claims them."""

    format: str
    width: int
    height: int


def sniff(head: bytes) -> str:
    """Return the name of the format that the first bytes show."""
    if not head:
        return "an empty file"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        return _ISO_BRANDS.get(head[8:12], "a video or another ISO media file")
    return "an unknown format"


def read_head(path: Path) -> PictureHead:
    """Return what the header of the file at `path` claims. Blocks.

    Raises Refusal: 415 for what is no JPEG, PNG or TIFF, 400 for a header without a size, 413 over the caps.
    """
    with path.open("rb") as file:
        kind = sniff(file.read(_HEAD_BYTES))
    if kind not in _ACCEPTED:
        raise Refusal(415, f"image: {kind} is not supported; send JPEG, PNG or TIFF")
    width, height = imagesize.get(str(path))
    if width < 1 or height < 1:
        raise Refusal(400, f"image: the {kind} header has no size; the file is truncated or damaged")
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise Refusal(
            413,
            f"image: {width}x{height} is too large; at most {MAX_SIDE_PX} pixels a side and"
            f" {MAX_PIXELS // 1_000_000} megapixels",
        )
    return PictureHead(format=_ACCEPTED[kind], width=width, height=height)
