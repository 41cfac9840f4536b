"""What a picture would cost to decode: honest ones pass at any size, bombs do not, and nothing else is raised.

The bombs themselves are those of tests/service/hostile, which are decoded there too.
"""

import contextlib
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from engine.bombs import check_cost
from engine.errors import InputError
from tests.service.hostile import jpeg, png, tiff


def _saved(form: str, *, mode: str = "RGB", size: tuple[int, int] = (300, 200), **options: object) -> bytes:
    file = io.BytesIO()
    noise = random.Random(1).randbytes(size[0] * size[1])
    Image.frombytes("L", size, noise).convert(mode).save(file, form, **options)
    return file.getvalue()


def _metadata() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for number in range(100):
        info.add_text(f"key {number}", "value" * 200, zip=True)
    return info


HONEST = {
    "jpeg": lambda: _saved("JPEG"),
    "jpeg progressive": lambda: _saved("JPEG", progressive=True, quality=95, subsampling=0),
    "jpeg CMYK progressive": lambda: _saved("JPEG", mode="CMYK", progressive=True),
    "jpeg with restarts": lambda: _saved("JPEG", restart_marker_blocks=1),
    "jpeg with the largest profile there can be": lambda: _saved("JPEG", icc_profile=bytes(16_000_000)),
    "jpeg with EXIF": lambda: _saved("JPEG", exif=b"Exif\0\0" + bytes(60_000)),
    "jpeg with two XMP segments": lambda: jpeg.with_segments(jpeg.segment(0xE1, b"http://x\0" + bytes(60_000)) * 2),
    "jpeg with 100 scans": lambda: jpeg.many_scans(99, 100, 100),
    "jpeg and its depth map": lambda: _saved("JPEG") + _saved("JPEG") * 300,
    "png": lambda: _saved("PNG"),
    "png with texts": lambda: _saved("PNG", pnginfo=_metadata()),
    "png in small chunks": lambda: png.png(png.chunk(b"teSt", b"x" * 10) * 5000),
    "tiff": lambda: _saved("TIFF"),
    "tiff of a strip a row": lambda: _saved("TIFF", size=(2, 30_000), strip_size=2),
    "tiff, compressed": lambda: _saved("TIFF", compression="tiff_lzw"),
    "tiff of 500 pages": lambda: tiff.chain(499),
    "tiff in one tile": lambda: tiff.tile_bomb(48, 1, bytes(48 * 48)),
    "bigtiff": lambda: _saved("TIFF", big_tiff=True),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_picture_passes(name: str):
    """What cameras and programs write is never refused, and the file is rewound."""
    file = io.BytesIO(HONEST[name]())
    file.seek(5)
    check_cost(file, name.split(maxsplit=1)[0].rstrip(",").replace("bigtiff", "tiff"))
    assert file.tell() == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jpeg 2,000 progressive scans of 64 MP", "more than 100 scans"),
        ("jpeg 3,000 sequential scans of 25 MP", "more than 100 scans"),
        ("jpeg 300 EXIF segments of 64 KB", "more metadata"),
        ("jpeg 100,000 comments", "more metadata"),
        ("jpeg 4 MB of fill bytes", "rubbish"),
        ("png 3,000 iCCP of 1 MB", "more metadata"),
        ("png a million empty chunks behind", "20,000 chunks"),
        ("tiff two million strips", "2,000,000 pieces"),
        ("tiff one tile of 400 MB", "tiles of 20,000 x 20,000"),
        ("tiff one tile of 1 GB, its width given twice", "tiles of"),
        ("tiff one tile of 1 GB, its width out of line", "tiles of"),
        ("tiff 30,000 directories", "2,000 pictures"),
        ("bigtiff of 2^63 entries", "entries"),
    ],
)
def test_a_bomb_is_refused_by_its_structure(name: str, words: str):
    """The line says what there is too much of."""
    made = {**jpeg.CASES, **png.CASES, **tiff.CASES}[name]()
    with pytest.raises(InputError, match=words):
        check_cost(io.BytesIO(made), name.split(maxsplit=1)[0].replace("bigtiff", "tiff"))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data(), name=st.sampled_from(sorted(HONEST)))
def test_damage_is_left_to_the_decoder(data: st.DataObject, name: str):
    """However a file is damaged or cut, it passes or is refused; nothing else is raised."""
    content = bytearray(_CONTENTS[name])
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, min(len(content) - 1, 3000)))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for format_name in ("jpeg", "png", "tiff"):
        with contextlib.suppress(InputError):
            check_cost(io.BytesIO(bytes(content[:cut])), format_name)


_CONTENTS = {name: make()[:200_000] for name, make in HONEST.items()}
