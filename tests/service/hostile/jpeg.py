"""JPEGs that lie, bloat or keep a decoder busy for ever. Each entry of `CASES` makes one, from code alone."""

import functools
import io
import struct

from PIL import Image

from tests.service.hostile.png import exif_all_over, exif_loop

SEGMENT = 65_533  # what a segment holds at the most
START, END = b"\xff\xd8", b"\xff\xd9"


@functools.cache
def plain(**options: object) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize((48, 40)).convert(str(options.pop("mode", "RGB"))).save(file, "JPEG", **options)
    return file.getvalue()


def segment(marker: int, body: bytes, *, length: int | None = None) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", (len(body) + 2) if length is None else length) + body


def with_segments(*segments: bytes, jpeg: bytes | None = None) -> bytes:
    return START + b"".join(segments) + (jpeg or plain())[2:]


def exif(body: bytes) -> bytes:
    return segment(0xE1, b"Exif\0\0" + body)


def claiming(width: int, height: int, jpeg: bytes | None = None) -> bytes:
    """`jpeg` with another size in its frame header."""
    data = bytearray(jpeg or plain())
    at = next(at for at in range(len(data)) if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC2))
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def frame(marker: int, width: int, height: int, *, precision: int = 8, components: int = 1) -> bytes:
    parts = b"".join(bytes([number + 1, 0x11, 0]) for number in range(components))
    return segment(marker, struct.pack(">BHHB", precision, height, width, components) + parts)


def _tables() -> bytes:
    """One quantisation table of ones; a DC table that knows 'no change', an AC table that knows only long runs."""
    dqt = segment(0xDB, b"\0" + b"\1" * 64)
    dc = segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\0")
    ac = segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")  # EOB14: a run of up to 32,767 empty blocks
    return dqt + dc + ac


def many_scans(scans: int, width: int, height: int) -> bytes:
    """A progressive picture: each scan names all its blocks in no bytes, and costs a pass over all of them."""
    first = segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0])) + b"\x00" * 8
    again = segment(0xDA, bytes([1, 1, 0x00, 1, 63, 0])) + b"\x00" * 130
    return START + _tables() + frame(0xC2, width, height) + first + again * scans + END


def many_sequential_scans(scans: int, width: int, height: int) -> bytes:
    """A baseline picture of three components, whose scans come again and again, each without a byte in it."""
    scan = b"".join(segment(0xDA, bytes([1, number, 0x00, 0, 63, 0])) + b"\x00" for number in (1, 2, 3))
    return START + _tables() + frame(0xC0, width, height, components=3) + scan * (scans // 3) + END


def restarts(count: int) -> bytes:
    data = segment(0xDA, bytes([1, 1, 0x00, 0, 63, 0])) + b"".join(
        b"\x00\xff" + bytes([0xD0 + at % 8]) for at in range(count)
    )
    return START + _tables() + frame(0xC0, 800, 800) + segment(0xDD, b"\0\1") + data + END


def _icc(parts: int, claimed: int, body: bytes = b"x" * 60_000) -> bytes:
    return b"".join(segment(0xE2, b"ICC_PROFILE\0" + bytes([at % 256, claimed]) + body) for at in range(1, parts + 1))


def _orientation(kind: int, count: int, value: bytes) -> bytes:
    return exif(b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHI", 0x0112, kind, count) + value + bytes(4))


def _mpf(offset: int, pictures: int) -> bytes:
    """An index of further pictures in the file, as cameras write it."""
    tags = struct.pack(">HHII", 0xB001, 4, 1, pictures) + struct.pack(">HHII", 0xB002, 7, 16 * pictures, offset)
    return segment(0xE2, b"MPF\0MM\0*\0\0\0\x08\0\x02" + tags + bytes(4) + bytes(16 * min(pictures, 2)))


CASES = {
    "jpeg 65,535 a side": lambda: claiming(65_535, 65_535),
    "jpeg just over 100 MP": lambda: claiming(10_001, 10_000),
    "jpeg zero width": lambda: claiming(0, 40),
    "jpeg zero height, DNL": lambda: claiming(48, 0)[:-2] + segment(0xDC, b"\0\x28") + END,
    "jpeg claims 30 MP in 1 KB": lambda: claiming(6000, 5000),
    "jpeg truncated scan": lambda: plain()[:-60],
    "jpeg header only": lambda: plain()[:300],
    "jpeg no end": lambda: plain()[:-2],
    "jpeg start and end only": lambda: START + b"\xff\xe0\0\2" + END,
    "jpeg 300 EXIF segments of 64 KB": lambda: with_segments(exif(b"x" * (SEGMENT - 6)) * 300),
    "jpeg 2,000 EXIF segments of 64 KB": lambda: with_segments(exif(b"x" * (SEGMENT - 6)) * 2000),
    "jpeg EXIF in a circle": lambda: with_segments(exif(exif_loop())),
    "jpeg EXIF of overlapping tags": lambda: with_segments(exif(exif_all_over())),
    "jpeg EXIF orientation 65,535": lambda: with_segments(_orientation(3, 1, b"\xff\xff\0\0")),
    "jpeg EXIF orientation as text": lambda: with_segments(_orientation(2, 4, b"six\0")),
    "jpeg EXIF 2^32-1 orientations": lambda: with_segments(_orientation(3, 2**32 - 1, b"\0\0\0\x08")),
    "jpeg EXIF orientation as doubles": lambda: with_segments(_orientation(12, 2**28, b"\0\0\0\x08")),
    "jpeg EXIF orientation of no type": lambda: with_segments(_orientation(99, 1, b"\0\6\0\0")),
    "jpeg EXIF cut short": lambda: with_segments(exif(b"MM\0*\0\0")),
    "jpeg ICC in 255 parts": lambda: with_segments(_icc(255, 255)),
    "jpeg ICC in 1 of 255 parts": lambda: with_segments(_icc(1, 255)),
    "jpeg ICC in 900 parts of 3": lambda: with_segments(_icc(900, 3)),
    "jpeg ICC in 5 parts of none": lambda: with_segments(_icc(5, 0)),
    "jpeg 100,000 empty segments": lambda: with_segments(segment(0xE5, b"") * 100_000),
    "jpeg 100,000 comments": lambda: with_segments(segment(0xFE, b"hello") * 100_000),
    "jpeg 4 MB of fill bytes": lambda: with_segments(b"\xff" * 4_000_000),
    "jpeg 4 MB of rubbish between segments": lambda: with_segments(b"\x11" * 4_000_000),
    "jpeg segment length 0": lambda: with_segments(segment(0xE5, b"", length=0)),
    "jpeg segment length 1": lambda: with_segments(segment(0xE5, b"", length=1)),
    "jpeg segment longer than the file": lambda: with_segments(segment(0xE5, b"xyz", length=65_535)),
    "jpeg arithmetic coding": lambda: plain().replace(b"\xff\xc0", b"\xff\xc9", 1),
    "jpeg lossless": lambda: plain().replace(b"\xff\xc0", b"\xff\xc3", 1),
    "jpeg hierarchical": lambda: plain().replace(b"\xff\xc0", b"\xff\xc5", 1),
    "jpeg 12 bits": lambda: plain().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c", 1),
    "jpeg two frames": lambda: with_segments(frame(0xC0, 30_000, 3000, components=3)),
    "jpeg 255 components": lambda: START + _tables() + frame(0xC0, 48, 40, components=255) + END,
    "jpeg no components": lambda: START + _tables() + frame(0xC0, 48, 40, components=0) + END,
    "jpeg 2 components": lambda: START + _tables() + frame(0xC0, 48, 40, components=2) + plain()[-600:],
    "jpeg CMYK": lambda: plain(mode="CMYK"),
    "jpeg CMYK, Adobe transform 9": lambda: plain(mode="CMYK").replace(
        b"Adobe\0d\0\0\0\0\x00", b"Adobe\0d\0\0\0\0\x09", 1
    ),
    "jpeg grey that claims to be Adobe CMYK": lambda: with_segments(
        segment(0xEE, b"Adobe\0d\0\0\0\0\x02"), jpeg=plain(mode="L")
    ),
    "jpeg Adobe segment cut short": lambda: with_segments(segment(0xEE, b"Adobe")),
    "jpeg 2,000 progressive scans of 64 MP": lambda: many_scans(2000, 8000, 8000),
    "jpeg 20,000 progressive scans of 1 MP": lambda: many_scans(20_000, 1000, 1000),
    "jpeg 3,000 sequential scans of 25 MP": lambda: many_sequential_scans(3000, 5000, 5000),
    "jpeg 300,000 restarts": lambda: restarts(300_000),
    "jpeg no Huffman tables": lambda: START + segment(0xDB, b"\0" + b"\1" * 64) + plain()[plain().find(b"\xff\xc0") :],
    "jpeg Huffman table of 17 bits": lambda: with_segments(segment(0xC4, b"\x00" + b"\xff" * 16 + bytes(400))),
    "jpeg Huffman table 15": lambda: with_segments(segment(0xC4, b"\x0f" + bytes(16))),
    "jpeg quantisation table cut short": lambda: with_segments(segment(0xDB, b"\x00" + b"\1" * 3)),
    "jpeg quantisation by zero": lambda: with_segments(segment(0xDB, b"\x00" + bytes(64))),
    "jpeg index of 2^27 pictures": lambda: with_segments(_mpf(8, 2**27)),
    "jpeg index of pictures beyond the end": lambda: with_segments(_mpf(60_000, 2)),
    "jpeg Photoshop blocks of absurd sizes": lambda: with_segments(
        segment(0xED, b"Photoshop 3.0\0" + (b"8BIM\x03\xed\0\0" + b"\xff" * 4) * 3000)
    ),
    "jpeg JFIF thumbnail of 255 x 255 that is not there": lambda: with_segments(
        segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\xff\xff")
    ),
    "jpeg XMP of 60 KB of angle brackets": lambda: with_segments(
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000)
    ),
    "jpeg XMP entities": lambda: with_segments(
        segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<!DOCTYPE x [<!ENTITY a "&b;&b;"><!ENTITY b "&a;">]>&a;')
    ),
    "jpeg trailing 8 MB": lambda: plain() + bytes(8_000_000),
    "jpeg a second picture behind": lambda: plain() * 2,
}
HARMLESS = (
    "jpeg EXIF in a circle",
    "jpeg EXIF of overlapping tags",
    "jpeg EXIF orientation 65,535",
    "jpeg EXIF orientation as text",
    "jpeg EXIF orientation as doubles",
    "jpeg EXIF orientation of no type",
    "jpeg EXIF 2^32-1 orientations",
    "jpeg CMYK",
    "jpeg XMP of 60 KB of angle brackets",
    "jpeg XMP entities",
    "jpeg trailing 8 MB",
    "jpeg a second picture behind",
)
