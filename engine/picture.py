"""What a picture file says of itself, read from its first bytes, and whether it really decodes.

The engine needs the format, the size and a yes or no; pixels are the face package's business. Formats are told
by content, never by extension.
"""

import contextlib
import errno
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import imagesize
from PIL import ExifTags, Image

from engine.bombs import check_cost
from engine.disk import text_of_path
from engine.errors import InputError, check_files_left
from engine.limits import MAX_BYTES, MAX_PIXELS, MAX_SIDE_PX

__all__ = [
    "Claims",
    "Header",
    "OversizedPicture",
    "UnsupportedPicture",
    "check_decodes",
    "read_claims",
    "read_header",
    "sniff",
]

# Pillow warns above this and refuses above twice as much; headers are checked before, this guards the decoder.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

SUPPORTED = ("jpeg", "png", "tiff")
# What a whole file ends with: JPEG's EOI marker, PNG's last chunk. Only at the very end: the thumbnail that cameras
# put near the start has an EOI of its own. Some programs pad with zeros.
_END_MARKS = {"jpeg": b"\xff\xd9", "png": b"IEND\xaeB`\x82"}
_TAIL_BYTES = 4 * 1024
# What is read of a file to begin with: a JPEG's JFIF and EXIF segments, of 64 KiB each at the most, are in it whole.
_HEAD_BYTES = 160 * 1024
# A real header takes tens to hundreds of reads; before its pixels a PNG holds a handful of chunks.
_MAX_HEADER_READS = 20_000
_MAX_CHUNKS = 256
_SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap width and height
_EXIF_BYTES = 64 * 1024  # as much as a JPEG can hold


class UnsupportedPicture(InputError):
    """It is of no format that the contract takes, or no picture at all."""


class OversizedPicture(InputError):
    """Its header claims more pixels than the contract takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a header says: format and, in pixels, the size as seen upright (EXIF orientation applied)."""

    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Claims):
    """The claims of a file, and what the file system says of it."""

    size_bytes: int


def sniff(start: bytes) -> str:
    """Return the format that the first 16 bytes of a file show: jpeg, png, tiff, another one's name, or ''."""
    for format_name, magics in _MAGIC.items():
        if start.startswith(magics):
            return format_name
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[4:8] == b"ftyp":
        return "avif" if start[8:12] in (b"avif", b"avis") else "heic" if start[8:11] in _HEIF_BRANDS else "mp4"
    return ""


_MAGIC = {
    "jpeg": (b"\xff\xd8\xff",),
    "png": (b"\x89PNG\r\n\x1a\n",),
    # Classic and BigTIFF, both byte orders.
    "tiff": (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),
    "gif": (b"GIF87a", b"GIF89a"),
    "bmp": (b"BM",),
    "psd": (b"8BPS",),
    "pdf": (b"%PDF",),
    "jpeg2000": (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"),
    "jpegxl": (b"\xff\x0a", b"\x00\x00\x00\x0cJXL "),
}
_HEIF_BRANDS = (b"hei", b"hev", b"mif", b"msf")


def read_claims(file: BinaryIO) -> Claims:
    """Return what the header of an open picture claims, within the limits; decodes no pixels.

    Raises UnsupportedPicture, OversizedPicture, InputError for a damaged header, and OSError.
    """
    head = file.read(_HEAD_BYTES)
    format_name = _supported(head[:16])
    width, height = _dimensions(file, head, format_name)
    return Claims(format=format_name, width=width, height=height)


def read_header(path: Path) -> Header:
    """Return the header of the picture at `path`; raises InputError, one reason in words, for all else.

    Pipes and devices are never opened. A JPEG or PNG without its end mark is decoded, to be sure.
    """
    size_bytes = _status(path).st_size
    try:
        with _opened(path, size_bytes) as file:
            claims = read_claims(file)
            has_end = _has_end_mark(file, claims.format, size_bytes)
    except OSError as error:
        check_files_left(error)
        raise InputError(f"can't be read: {error.strerror or error}") from error
    if not has_end:
        check_decodes(path)
    return Header(format=claims.format, width=claims.width, height=claims.height, size_bytes=size_bytes)


def _opened(path: Path, size_bytes: int) -> BinaryIO:
    """Return the file at `path`, in memory when it is small: that takes the fewest system calls."""
    if size_bytes > _HEAD_BYTES:
        return path.open("rb", buffering=0)
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        return io.BytesIO(os.read(fd, _HEAD_BYTES))
    finally:
        os.close(fd)


def _has_end_mark(file: BinaryIO, format_name: str, size_bytes: int) -> bool:
    file.seek(max(0, size_bytes - _TAIL_BYTES))
    return file.read(_TAIL_BYTES).rstrip(b"\0").endswith(_END_MARKS.get(format_name, b""))


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise InputError(f"is a dangling link: {text_of_path(path.readlink())} does not exist") from None
        raise InputError("does not exist") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError("is a link that leads nowhere (a link loop)") from error
        raise InputError(f"can't be read: {error.strerror or error}") from error
    except ValueError as error:  # of a list: no file system has names with a NUL in them
        raise InputError("can't be read: no file can have this name") from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(f"is {_kind(status.st_mode)}, not a file")
    if status.st_size == 0:
        raise InputError("is empty (0 bytes)")
    if status.st_size > MAX_BYTES:
        raise InputError(f"is {status.st_size / 1e6:,.0f} MB; the limit is 500 MB")
    return status


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFIFO: "a pipe",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
        stat.S_IFDIR: "a folder",
    }
    return kinds.get(stat.S_IFMT(mode), "something else")


def _supported(start: bytes) -> str:
    format_name = sniff(start)
    if format_name not in SUPPORTED:
        what = f"is {format_name.upper()}" if format_name else "is not an image"
        raise UnsupportedPicture(f"{what}; JPEG, PNG and TIFF are supported")
    return format_name


def _dimensions(file: BinaryIO, head: bytes, format_name: str) -> tuple[int, int]:
    try:
        width, height = _claimed(file, head, format_name)
        if format_name == "png" and _is_sideways_png(file):
            width, height = height, width
    except Exception as error:  # a hostile header may raise anything in the parser
        raise InputError(f"has a damaged {format_name.upper()} header") from error
    width, height = int(width), int(height)
    if width < 1 or height < 1:
        raise InputError(f"has a damaged {format_name.upper()} header: no dimensions in it")
    if max(width, height) > MAX_SIDE_PX:
        raise OversizedPicture(f"is {width} x {height} pixels; the limit is {MAX_SIDE_PX:,} a side")
    if width * height > MAX_PIXELS:
        raise OversizedPicture(f"is {width * height / 1e6:,.0f} megapixels; the limit is {MAX_PIXELS // 10**6}")
    return width, height


def _claimed(file: BinaryIO, head: bytes, format_name: str) -> tuple[float, float]:
    """Return the size as the parser sees it: from `head` where it stands there, from the file else; -1 for none."""
    source = _Budgeted(file) if format_name == "tiff" else io.BytesIO(head)  # a TIFF's directory may lie anywhere
    size: tuple[float, float] = imagesize.get(source)
    if size[0] < 0 and len(head) == _HEAD_BYTES:
        size = imagesize.get(_Budgeted(file))
    return size


class _Budgeted:
    """A file that can be read so many times: a header that is walked longer is no header but an attack on patience."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads_left = _MAX_HEADER_READS
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size_bytes: int = -1, /) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise ValueError("the header has no end")
        return self._file.read(size_bytes)


def _is_sideways_png(file: BinaryIO) -> bool:
    """Say whether an eXIf chunk before the pixels turns the picture; imagesize looks into JPEG and TIFF only."""
    file.seek(8)
    for _chunk in range(_MAX_CHUNKS):
        chunk = file.read(8)
        if not chunk or chunk[4:] == b"IDAT":
            break
        size_bytes = int.from_bytes(chunk[:4], "big")
        if chunk[4:] == b"eXIf":
            return _orientation(file, size_bytes) in _SIDEWAYS
        file.seek(size_bytes + 4, os.SEEK_CUR)
    return False


def _orientation(file: BinaryIO, size_bytes: int) -> object:
    exif = Image.Exif()
    with contextlib.suppress(Exception):  # Broken EXIF is no reason to refuse a sound picture.
        exif.load(b"Exif\0\0" + file.read(min(size_bytes, _EXIF_BYTES)))
        return exif.get(ExifTags.Base.Orientation)
    return None


def check_decodes(picture: Path | BinaryIO) -> tuple[int, int]:
    """Decode every pixel of a JPEG, PNG or TIFF, a file or an open one, and return its (width, height).

    They are those of the pixels as stored, except for TIFF, which Pillow turns upright. Raises InputError when it is
    something else, truncated or damaged. `Image.verify` is no substitute: it passes truncated files.
    """
    try:
        with picture.open("rb") if isinstance(picture, Path) else contextlib.nullcontext(picture) as file:
            return _decoded_size(file)
    except InputError:
        raise
    except Exception as error:  # Pillow answers bad bytes with any of a dozen types
        check_files_left(error)
        raise InputError(f"does not decode, truncated or damaged ({_one_line(error)})") from error


def _decoded_size(file: BinaryIO) -> tuple[int, int]:
    start = file.tell()
    format_name = sniff(file.read(16))
    file.seek(start)
    if format_name in SUPPORTED:
        check_cost(file, format_name)
    with contextlib.closing(Image.open(file, formats=SUPPORTED)) as image:  # no other parser can be reached
        image.load()
        return image.size


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
