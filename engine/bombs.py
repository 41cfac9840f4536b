"""Refuse a picture whose decoding would cost far more than a picture may: told by its structure, before a decoder runs.

Sizes in pixels are checked elsewhere. What is counted here costs Pillow and the libraries under it time or memory out
of proportion to the file: passes over all pixels, lists of numbers, metadata that unpacks, tiles larger than the
picture. What is merely broken is left to the decoder, which says so better. Each limit is far above what cameras
and programs write.
"""

import re
import struct
import warnings
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, NamedTuple

from engine.errors import InputError

__all__ = ["check_cost"]

# Pillow warns of each odd tag, and a picture may hold thousands: that would be megabytes of log for one small upload.
warnings.filterwarnings("ignore", module=r"PIL\.")

_MAX_METADATA_BYTES: Final = 32 * 1024 * 1024  # Pillow keeps it whole; a JPEG's largest colour profile has 16 MiB
_MAX_EXIF_BYTES: Final = 4 * 1024 * 1024  # of all EXIF segments: Pillow joins them at quadratic cost
_MAX_SCANS: Final = 100  # passes over the whole picture; progressive files have about ten
_MAX_SEGMENTS: Final = 20_000
_MAX_RUBBISH_BYTES: Final = 64 * 1024  # between segments: Pillow steps over it byte by byte
_BLOCK_BYTES: Final = 64 * 1024

_MIN_CHUNK_BYTES: Final = 1000  # on average, once a PNG has many: writers fill buffers of 8 KiB and more
_MAX_SMALL_CHUNKS: Final = 20_000
_MAX_PACKED_CHUNKS: Final = 500  # texts and profiles, each of which may unpack to 1 MiB
_PACKED: Final = (b"zTXt", b"iTXt", b"iCCP")
_PIXELS: Final = (b"IDAT", b"fdAT")

_MAX_DIRECTORIES: Final = 2000  # pages of a TIFF: Pillow counts them at 0.3 ms each, and at quadratic cost
_MAX_ENTRIES: Final = 4096  # of one directory; there are some 300 known tags
_MAX_OFFSETS: Final = 250_000  # strips or tiles: Pillow holds 250 bytes for each
_SMALL_TILE_PX: Final = 4_000_000
_WIDTH, _HEIGHT, _STRIPS, _TILE_WIDTH, _TILE_HEIGHT, _TILES = 256, 257, 273, 322, 323, 324


def check_cost(file: BinaryIO, format_name: str) -> None:
    """Raise InputError, its text going on behind a name, if the open jpeg, png or tiff is a bomb. Rewinds `file`."""
    try:
        _CHECKS[format_name](file)
    except (struct.error, OverflowError, ValueError):
        pass  # broken: the decoder's business
    finally:
        file.seek(0)


def _refuse(what: str) -> InputError:
    return InputError(f"{what}; it is refused as a decompression bomb")


# --- JPEG (ITU-T T.81, annex B)

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # neither a stuffed byte nor a fill byte nor a restart
_SCAN, _EXIF, _END, _ALONE = 0xDA, 0xE1, 0xD9, (0x01, 0xD8)


class _Segment(NamedTuple):
    marker: int
    size_bytes: int
    skipped_bytes: int  # before it


def _check_jpeg(file: BinaryIO) -> None:
    scans = rubbish = metadata = exif = 0
    for count, segment in enumerate(_segments(file)):
        scans += segment.marker == _SCAN
        if not scans:  # behind the first scan libjpeg reads alone, and keeps nothing
            metadata += segment.size_bytes
            rubbish += segment.skipped_bytes
            exif += segment.size_bytes if segment.marker == _EXIF else 0
        if scans > _MAX_SCANS:
            raise _refuse(f"has more than {_MAX_SCANS} scans")
        if exif > _MAX_EXIF_BYTES or metadata > _MAX_METADATA_BYTES or count > _MAX_SEGMENTS:
            raise _refuse("has more metadata than any camera writes")
        if rubbish > _MAX_RUBBISH_BYTES:
            raise _refuse("has rubbish between its segments")


def _segments(file: BinaryIO) -> Iterator[_Segment]:
    """Yield what stands between the start and the end marker; compressed pixels are passed over at memory speed."""
    block, begin, at, skipped = b"", 2, 0, 0
    while True:
        found = _MARKER.search(block, at)
        if found is None or found.end() + 2 > len(block):
            keep = found.start() if found else max(at, len(block) - 1)
            skipped += max(0, keep - at)
            begin, at = begin + keep, 0
            file.seek(begin)
            block = file.read(_BLOCK_BYTES)
            if len(block) < 4:
                return
            continue
        marker, skipped = block[found.start() + 1], skipped + found.start() - at
        if marker == _END:
            return
        size = 0 if marker in _ALONE else int.from_bytes(block[found.end() : found.end() + 2], "big")
        yield _Segment(marker, size, skipped)
        at, skipped = found.end() + size, 0


# --- PNG (ISO/IEC 15948, 5.3)


def _check_png(file: BinaryIO) -> None:
    size_bytes = file.seek(0, 2)
    position, count, metadata, packed = 8, 0, 0, 0
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length, kind, count = int.from_bytes(head[:4], "big"), head[4:], count + 1
        packed += kind in _PACKED
        metadata += 0 if kind in _PIXELS else length
        position += 12 + length
        if packed > _MAX_PACKED_CHUNKS or min(metadata, size_bytes) > _MAX_METADATA_BYTES:
            raise _refuse("has more metadata than any program writes")
        if count > _MAX_SMALL_CHUNKS and position < count * _MIN_CHUNK_BYTES:
            raise _refuse(f"has more than {_MAX_SMALL_CHUNKS:,} chunks of a few bytes")


# --- TIFF 6.0, and BigTIFF with its wider numbers


class _Layout(NamedTuple):
    """How numbers lie in this file: byte order, an offset's code and size, a directory's count and entry."""

    order: str
    offset: str
    offset_bytes: int
    number: str
    entry: str


class _Entry(NamedTuple):
    tag: int
    length: int  # in values
    value: int | None


def _layout(head: bytes) -> _Layout:
    order = "<" if head[:2] == b"II" else ">"
    if 43 in head[2:4]:
        return _Layout(order, "Q", 8, "Q", "HHQ8s")
    return _Layout(order, "I", 4, "H", "HHI4s")


def _check_tiff(file: BinaryIO) -> None:
    file.seek(0)
    head = file.read(16)
    layout = _layout(head)
    at: int = struct.unpack_from(layout.order + layout.offset, head, layout.offset_bytes)[0]
    seen: set[int] = set()
    while at and at not in seen:
        seen.add(at)
        if len(seen) > _MAX_DIRECTORIES:
            raise _refuse(f"holds more than {_MAX_DIRECTORIES:,} pictures")
        entries, following = _directory(file, layout, at)
        if len(seen) == 1:
            _check_entries(entries)
        at = following


def _directory(file: BinaryIO, layout: _Layout, at: int) -> tuple[list[_Entry], int]:
    """Return the entries of the directory at `at`, and where the next one is; 0 for nowhere."""
    count_format, entry_format = layout.order + layout.number, layout.order + layout.entry
    file.seek(at)
    (count,) = struct.unpack(count_format, file.read(struct.calcsize(count_format)))
    if count > _MAX_ENTRIES:
        raise _refuse(f"has a directory of {count:,} entries")
    entry_bytes = struct.calcsize(entry_format)
    data = file.read(entry_bytes * count)
    entries = [
        _Entry(tag, length, _value(layout, kind, length, value))
        for tag, kind, length, value in struct.iter_unpack(entry_format, data[: len(data) // entry_bytes * entry_bytes])
    ]
    rest = file.read(layout.offset_bytes)
    following = int(struct.unpack(layout.order + layout.offset, rest)[0]) if len(rest) == layout.offset_bytes else 0
    return entries, following


_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}  # by the type of an entry


def _value(layout: _Layout, kind: int, length: int, value: bytes) -> int | None:
    """Return the one whole number that stands in the entry itself; None where it does not."""
    code = _NUMBERS.get(kind)
    if code is None or length != 1 or struct.calcsize(layout.order + code) > len(value):
        return None
    return int(struct.unpack_from(layout.order + code, value)[0])


def _check_entries(entries: list[_Entry]) -> None:
    """Check the first picture's. A tag may be given twice, and readers differ in which they take: the worst counts."""
    for entry in entries:
        if entry.tag in (_STRIPS, _TILES) and entry.length > _MAX_OFFSETS:
            raise _refuse(f"is cut into {entry.length:,} pieces")
    width, height = (min(_values(entries, tag, 0), default=0) for tag in (_WIDTH, _HEIGHT))
    tile_width, tile_height = (max(_values(entries, tag, 2**32), default=0) for tag in (_TILE_WIDTH, _TILE_HEIGHT))
    # libtiff unpacks a tile whole, however little of it lies within the picture.
    if tile_width * tile_height > max(_SMALL_TILE_PX, 4 * width * height):
        raise _refuse(f"has tiles of {tile_width:,} x {tile_height:,} pixels")


def _values(entries: list[_Entry], tag: int, otherwise: int) -> list[int]:
    return [otherwise if entry.value is None else entry.value for entry in entries if entry.tag == tag]


_CHECKS: Final[dict[str, Callable[[BinaryIO], None]]] = {"jpeg": _check_jpeg, "png": _check_png, "tiff": _check_tiff}
