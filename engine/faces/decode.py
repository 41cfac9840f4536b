"""From a file to a `Picture`: JPEG, PNG and TIFF, told by their content, never by their name.

Every broken, foreign or oversized file ends in an InputError of one line. The size is judged from the header,
before a pixel is decoded.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from engine.bombs import check_cost
from engine.errors import InputError
from engine.faces.metadata import kept_exif, orientation
from engine.faces.options import Format
from engine.faces.picture import Picture, check_size
from engine.faces.pixels import to_rgb

__all__ = ["decode"]

# The plugins are called by name, not through Image.open: no other parser can be reached by a crafted file, and
# Pillow's own bomb limit, a process-wide variable that warns below our cap, stays out of it.
OPENERS: Final[dict[Format, Callable[[BinaryIO], Image.Image]]] = {
    "jpeg": JpegImageFile,
    "png": PngImageFile,
    "tiff": TiffImageFile,
}
SIGNATURES: Final[tuple[tuple[bytes, Format], ...]] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),  # BigTIFF
    (b"MM\0+", "tiff"),
)
FOREIGN: Final = (
    (0, b"GIF8", "a GIF"),
    (8, b"WEBP", "a WebP"),
    (8, b"avif", "an AVIF"),
    (8, b"hei", "a HEIC"),
    (8, b"hev", "a HEIC"),
    (8, b"mif1", "a HEIC"),
    (0, b"BM", "a BMP"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (0, b"8BPS", "a Photoshop"),
    (0, b"%PDF", "a PDF"),
)
# Deflate shrinks a thousandfold at best, and a byte holds at most eight pixels; no honest file gets beyond.
MAX_PIXELS_PER_BYTE: Final = 10_000


def decode(path: Path) -> Picture:
    """The first picture in the file, whole. InputError, its line naming the file, if there is none to be had."""
    try:
        with path.open("rb") as file:
            kind = _kind(path.name, file.read(16))
            size_bytes = file.seek(0, 2)
            _check_cost(path.name, file, kind)
            return _decode(path.name, file, size_bytes, kind)
    except OSError as error:  # of opening and reading; those of decoding are translated within
        raise InputError(f"{path.name} can't be read: {error.strerror or error}") from error


def _kind(name: str, head: bytes) -> Format:
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    if not head:
        raise InputError(f"{name} is empty (0 bytes); copy or download it again")
    for at, signature, label in FOREIGN:
        if head[at:].startswith(signature):
            raise InputError(f"{name} is {label} file; JPEG, PNG and TIFF are supported: convert it first")
    raise InputError(f"{name} is not a picture this program reads; JPEG, PNG and TIFF are supported")


def _check_cost(name: str, file: BinaryIO, kind: Format) -> None:
    try:
        check_cost(file, kind)
    except InputError as error:
        raise InputError(f"{name} {error}") from None


def _decode(name: str, file: BinaryIO, size_bytes: int, kind: Format) -> Picture:
    try:
        with OPENERS[kind](file) as image:
            _check_header(name, image, size_bytes)
            image.load()
            pages = _pages(image)
            exif = kept_exif(image)
            turn = orientation(image)
            rgb, alpha, icc = to_rgb(image if turn is None else image.transpose(turn))
    except (InputError, MemoryError):
        raise
    except Exception as error:  # Pillow answers bad bytes with any of a dozen types, SyntaxError among them
        if _is_cut_off(file, size_bytes, kind, error):
            raise InputError(f"{name} is truncated: the picture ends early; copy or download it again") from error
        if "unknown pixel mode" in str(error):
            raise InputError(f"{name} stores its pixels in a rare way; save it with 8 or 16 bits a sample") from error
        raise InputError(f"{name} is damaged and can't be decoded ({_reason(error)})") from error
    return Picture(rgb=rgb, alpha=alpha, icc=icc, exif=exif, format=kind, pages=pages)


def _pages(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # a broken second page is no reason to refuse a sound first one
        return 1


def _check_header(name: str, image: Image.Image, size_bytes: int) -> None:
    check_size(image.width, image.height, name)
    if image.width * image.height > MAX_PIXELS_PER_BYTE * size_bytes:
        raise InputError(
            f"{name} claims {image.width} x {image.height} pixels but holds only {size_bytes:,} bytes;"
            " it is refused as a decompression bomb"
        )


def _is_cut_off(file: BinaryIO, size_bytes: int, kind: Format, error: Exception) -> bool:
    if kind == "tiff":
        return _tiff_ends_early(file, size_bytes)
    file.seek(max(0, size_bytes - 64))
    tail = file.read()
    return (b"IEND" if kind == "png" else b"\xff\xd9") not in tail or "truncated" in str(error)


def _tiff_ends_early(file: BinaryIO, size_bytes: int) -> bool:
    """Whether the directory, or data it points at, lies beyond the end of the file."""
    file.seek(0)
    try:
        with TiffImageFile(file) as image:
            starts = image.tag_v2.get(273) or image.tag_v2.get(324) or ()  # strips or tiles
            lengths = image.tag_v2.get(279) or image.tag_v2.get(325) or ()
            return any(start + length > size_bytes for start, length in zip(starts, lengths, strict=False))
    except Exception:  # the directory itself can't be read: was there room for it?
        file.seek(0)
        head = file.read(8)
        order = "<" if head.startswith(b"II") else ">"
        start: int = struct.unpack(order + "I", head[4:])[0] if len(head) == 8 else size_bytes
        return start + 2 > size_bytes or _directory_end(file, start, order) > size_bytes


def _directory_end(file: BinaryIO, start: int, order: str) -> int:
    file.seek(start)
    entries: int = struct.unpack(order + "H", file.read(2))[0]
    return start + 2 + 12 * entries


def _reason(error: Exception) -> str:
    """The first line of an error's text, short enough for one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
