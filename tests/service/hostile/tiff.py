"""TIFFs that lie, loop or bloat. Each entry of `CASES` makes one, from code alone."""

import io
import struct
import zlib

from PIL import Image

from tests.service.hostile.jpeg import plain
from tests.service.hostile.png import MB, packed

SHORT, LONG, UNDEFINED, DOUBLE, LONG8 = 3, 4, 7, 12, 16
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIPS, SAMPLES, ROWS, LENGTHS = (
    256,
    257,
    258,
    259,
    262,
    273,
    277,
    278,
    279,
)
PLANAR, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_LENGTHS, FORMAT = 284, 317, 322, 323, 324, 325, 339
DEFLATE, LZW, JPEG, ZSTD, PACKBITS, CCITT = 8, 5, 7, 50000, 32773, 4

Entry = tuple[int, int, int, int]  # tag, type, count, value or offset


def directory(entries: list[Entry], following: int = 0) -> bytes:
    made = [struct.pack("<HHII", tag, kind, count, value) for tag, kind, count, value in sorted(entries)]
    return struct.pack("<H", len(made)) + b"".join(made) + struct.pack("<I", following)


def grey(
    changes: dict[int, tuple[int, int, int] | None] | None = None,
    *,
    side: int = 40,
    data: bytes | None = None,
    following: int = 0,
) -> bytes:
    """A grey picture whose tags may be changed, added or (None) left out; its pixels lie at 8."""
    pixels = bytes(side * side) if data is None else data
    tags: dict[int, tuple[int, int, int] | None] = {
        WIDTH: (LONG, 1, side),
        HEIGHT: (LONG, 1, side),
        BITS: (SHORT, 1, 8),
        COMPRESSION: (SHORT, 1, 1),
        PHOTOMETRIC: (SHORT, 1, 1),
        STRIPS: (LONG, 1, 8),
        SAMPLES: (SHORT, 1, 1),
        ROWS: (LONG, 1, side),
        LENGTHS: (LONG, 1, len(pixels)),
        **(changes or {}),
    }
    entries = [(tag, *value) for tag, value in tags.items() if value is not None]
    pixels += bytes(len(pixels) % 2)
    return b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels + directory(entries, following)


def tile_bomb(side: int, compression: int, data: bytes) -> bytes:
    """A small picture in one tile of `side` x `side`."""
    tags = {
        TILE_WIDTH: (LONG, 1, side),
        TILE_HEIGHT: (LONG, 1, side),
        TILES: (LONG, 1, 8),
        TILE_LENGTHS: (LONG, 1, len(data)),
        COMPRESSION: (SHORT, 1, compression),
        STRIPS: None,
        LENGTHS: None,
        ROWS: None,
    }
    return grey(tags, data=data)


def _twice(tag: int, value: int) -> bytes:
    """A tile bomb that says its tile's width twice: small, then large."""
    tags = [(tag, LONG, 1, 16), (tag, LONG, 1, value)]
    data = packed(1024 * MB)
    whole = tile_bomb(32_768, DEFLATE, data)
    begin = struct.unpack("<I", whole[4:8])[0]
    entries = [struct.unpack("<HHII", whole[at : at + 12]) for at in range(begin + 2, len(whole) - 4, 12)]
    return whole[:begin] + directory([entry for entry in entries if entry[0] != tag] + tags)


def _out_of_line() -> bytes:
    """A tile bomb whose tile's width is a 64-bit number, stored elsewhere."""
    data = struct.pack("<Q", 32_768) + packed(1024 * MB)
    tags = {
        TILE_WIDTH: (LONG8, 1, 8),
        TILE_HEIGHT: (LONG, 1, 32_768),
        TILES: (LONG, 1, 16),
        TILE_LENGTHS: (LONG, 1, len(data) - 8),
        COMPRESSION: (SHORT, 1, DEFLATE),
        STRIPS: None,
        LENGTHS: None,
        ROWS: None,
    }
    return grey(tags, data=data)


def chain(count: int, *, is_circle: bool = False) -> bytes:
    """A sound picture whose directory is followed by `count` copies of itself."""
    first = grey()
    begin = struct.unpack("<I", first[4:8])[0]
    entries = first[begin:-4]
    size = len(entries) + 4
    following = [begin + size * (number + 1) for number in range(count)] + [begin if is_circle else 0]
    return first[:begin] + b"".join(entries + struct.pack("<I", at) for at in following)


def _tags_all_over(count: int, kind: int, unit: int, padding: int) -> bytes:
    """Thousands of tags, each of which is the whole file."""
    data = bytes(padding)
    size = 8 + padding
    more = {40_000 + at: (kind, size // unit - 2, 8) for at in range(count)}
    return grey({**more, LENGTHS: (LONG, 1, 1600)}, data=data)


def _offsets(count: int) -> bytes:
    """As many strips as 4 bytes each can name, all of them the same one row."""
    data = struct.pack("<I", 8) * count
    return grey({STRIPS: (LONG, count, 8), LENGTHS: (LONG, count, 8), ROWS: (LONG, 1, 1)}, data=data)


def big(entries: int | None = None, following: int = 0, offset: int = 16) -> bytes:
    """A BigTIFF; its directory may claim any number of entries."""
    tags = [
        (WIDTH, 40),
        (HEIGHT, 40),
        (BITS, 8),
        (COMPRESSION, 1),
        (PHOTOMETRIC, 1),
        (STRIPS, 400),
        (SAMPLES, 1),
        (ROWS, 40),
        (LENGTHS, 1600),
    ]
    made = b"".join(struct.pack("<HHQQ", tag, LONG, 1, value) for tag, value in sorted(tags))
    head = b"II+\0\x08\0\0\0" + struct.pack("<Q", offset)
    body = struct.pack("<Q", len(tags) if entries is None else entries) + made + struct.pack("<Q", following)
    return (head + body).ljust(400, b"\0") + bytes(1600)


def _saved(mode: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((40, 40)).convert(mode).save(file, "TIFF", **options)
    return file.getvalue()


CASES = {
    "tiff directory beyond the end": lambda: b"II*\0" + struct.pack("<I", 2**32 - 1) + bytes(100),
    "tiff directory in the header": lambda: b"II*\0\0\0\0\0" + bytes(100),
    "tiff magic only": lambda: b"MM\0*",
    "tiff no entries": lambda: b"II*\0\x08\0\0\0" + directory([]),
    "tiff no size": lambda: grey({WIDTH: None, HEIGHT: None}),
    "tiff zero size": lambda: grey({WIDTH: (LONG, 1, 0), HEIGHT: (LONG, 1, 0)}),
    "tiff negative size": lambda: grey({WIDTH: (9, 1, 2**32 - 40), HEIGHT: (9, 1, 2**32 - 40)}),
    "tiff fractional size": lambda: grey({WIDTH: (5, 1, 8), HEIGHT: (5, 1, 8)}),
    "tiff two billion a side": lambda: grey({WIDTH: (LONG, 1, 2**31), HEIGHT: (LONG, 1, 2**31)}),
    "tiff just over 100 MP": lambda: grey({WIDTH: (LONG, 1, 10_001), HEIGHT: (LONG, 1, 10_000)}),
    "tiff 100 MP in 1.6 KB": lambda: grey(
        {WIDTH: (LONG, 1, 10_000), HEIGHT: (LONG, 1, 10_000), ROWS: (LONG, 1, 10_000)}
    ),
    "tiff width given 2^32-1 times": lambda: grey({WIDTH: (LONG, 2**32 - 1, 8)}),
    "tiff 65,535 entries": lambda: b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + grey()[-110:],
    "tiff offsets beyond the end": lambda: grey({STRIPS: (LONG, 1, 2**31)}),
    "tiff lengths beyond the end": lambda: grey({LENGTHS: (LONG, 1, 2**32 - 1)}),
    "tiff no offsets": lambda: grey({STRIPS: None}),
    "tiff 2^32-1 strips": lambda: grey({STRIPS: (LONG, 2**32 - 1, 8), LENGTHS: (LONG, 2**32 - 1, 8)}),
    "tiff two million strips": lambda: _offsets(2_000_000),
    "tiff rows per strip 0": lambda: grey({ROWS: (LONG, 1, 0)}),
    "tiff rows per strip 2^32-1": lambda: grey({ROWS: (LONG, 1, 2**32 - 1)}),
    "tiff bits 0": lambda: grey({BITS: (SHORT, 1, 0)}),
    "tiff bits 65,535": lambda: grey({BITS: (SHORT, 1, 65_535)}),
    "tiff 65,535 samples": lambda: grey({SAMPLES: (SHORT, 1, 65_535)}),
    "tiff 2^31 bits per sample": lambda: grey({BITS: (SHORT, 2**31, 8)}),
    "tiff planar lie": lambda: grey({PLANAR: (SHORT, 1, 2), SAMPLES: (SHORT, 1, 3), PHOTOMETRIC: (SHORT, 1, 2)}),
    "tiff planar 77": lambda: grey({PLANAR: (SHORT, 1, 77)}),
    "tiff 64-bit floats": lambda: grey({BITS: (SHORT, 1, 64), FORMAT: (SHORT, 1, 3)}, data=bytes(12_800)),
    "tiff sample format 9": lambda: grey({FORMAT: (SHORT, 1, 9)}),
    "tiff compression 65,000": lambda: grey({COMPRESSION: (SHORT, 1, 65_000)}),
    "tiff compression JPEG that is none": lambda: grey({COMPRESSION: (SHORT, 1, JPEG)}),
    "tiff compression JPEG, a whole JPEG in it": lambda: grey({COMPRESSION: (SHORT, 1, JPEG)}, data=plain(mode="L")),
    "tiff old-style JPEG": lambda: grey({COMPRESSION: (SHORT, 1, 6), 513: (LONG, 1, 8), 514: (LONG, 1, 500)}),
    "tiff compression ZSTD that is none": lambda: grey({COMPRESSION: (SHORT, 1, ZSTD)}),
    "tiff compression CCITT of noise": lambda: grey(
        {COMPRESSION: (SHORT, 1, CCITT), BITS: (SHORT, 1, 1)}, data=b"\xa5" * 999
    ),
    "tiff LZW of noise": lambda: grey({COMPRESSION: (SHORT, 1, LZW)}, data=b"\x80\x5a" * 999),
    "tiff packbits of noise": lambda: grey({COMPRESSION: (SHORT, 1, PACKBITS)}, data=b"\x81\x7f" * 99),
    "tiff deflate strip of 2 GB": lambda: grey({COMPRESSION: (SHORT, 1, DEFLATE)}, data=packed(2048 * MB)),
    "tiff predictor 9": lambda: grey(
        {PREDICTOR: (SHORT, 1, 9), COMPRESSION: (SHORT, 1, DEFLATE)}, data=zlib.compress(bytes(1600))
    ),
    "tiff one tile of 1 GB": lambda: tile_bomb(32_768, DEFLATE, packed(1024 * MB)),
    "tiff one tile of 400 MB": lambda: tile_bomb(20_000, DEFLATE, packed(400 * MB)),
    "tiff one tile of 1 GB, LZW": lambda: tile_bomb(32_768, LZW, bytes(3000)),
    "tiff one tile of 1 GB, its width given twice": lambda: _twice(TILE_WIDTH, 32_768),
    "tiff one tile of 1 GB, its width out of line": _out_of_line,
    "tiff deflate, 2^31 rows per strip": lambda: grey(
        {COMPRESSION: (SHORT, 1, DEFLATE), ROWS: (LONG, 1, 2**31)}, data=packed(1024 * MB)
    ),
    "tiff LZW, 2^31 rows per strip": lambda: grey({COMPRESSION: (SHORT, 1, LZW), ROWS: (LONG, 1, 2**31)}),
    "tiff tile 2^32-1 wide": lambda: tile_bomb(2**32 - 1, DEFLATE, b"xx"),
    "tiff tile 0 wide": lambda: tile_bomb(0, DEFLATE, b"xx"),
    "tiff tile of one pixel": lambda: tile_bomb(1, 1, b"xx"),
    "tiff circle of one": lambda: grey(following=8 + 1600),
    "tiff circle of 50": lambda: chain(50, is_circle=True),
    "tiff 3,000 directories": lambda: chain(3000),
    "tiff 30,000 directories": lambda: chain(30_000),
    "tiff Exif group in a circle": lambda: grey({34_665: (LONG, 1, 8 + 1600)}),
    "tiff GPS group in a circle": lambda: grey({34_853: (LONG, 1, 8 + 1600)}),
    "tiff SubIFD in a circle": lambda: grey({330: (LONG, 1, 8 + 1600)}),
    "tiff Exif group beyond the end": lambda: grey({34_665: (LONG, 1, 2**32 - 2)}),
    "tiff 4,000 tags of 1 MB each": lambda: _tags_all_over(4000, UNDEFINED, 1, MB),
    "tiff 4,000 tags of doubles": lambda: _tags_all_over(4000, DOUBLE, 8, MB),
    "tiff 8 MB of shorts in one tag": lambda: _tags_all_over(1, SHORT, 2, 8 * MB),
    "tiff orientation 99": lambda: grey({274: (SHORT, 1, 99)}),
    "tiff orientation given 500 times": lambda: grey({274: (SHORT, 500, 8)}),
    "tiff orientation as doubles": lambda: grey({274: (DOUBLE, 100, 8)}),
    "tiff palette without one": lambda: grey({PHOTOMETRIC: (SHORT, 1, 3)}),
    "tiff ICC of rubbish": lambda: grey({34_675: (UNDEFINED, 900, 8)}),
    "tiff Lab": lambda: grey({PHOTOMETRIC: (SHORT, 1, 8), SAMPLES: (SHORT, 1, 3), BITS: (SHORT, 1, 8)}),
    "tiff transfer function of 2^30": lambda: grey({301: (SHORT, 2**30, 8)}),
    "bigtiff": big,
    "bigtiff of 2^63 entries": lambda: big(2**63),
    "bigtiff of 2^32 entries": lambda: big(2**32),
    "bigtiff directory at 2^64-1": lambda: big(offset=2**64 - 1),
    "bigtiff circle": lambda: big(following=16),
    "tiff float": lambda: _saved("F"),
    "tiff truncated deflate": lambda: _saved("RGB", compression="tiff_deflate")[:200],
}
HARMLESS = (
    "tiff circle of one",
    "tiff circle of 50",
    "tiff orientation 99",
    "tiff SubIFD in a circle",
    "tiff ICC of rubbish",
    "tiff float",
)
