"""What can't be restored is refused in one line that says what is wrong and what to do."""

import io
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import InputError
from engine.faces.decode import decode


def refusal(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        decode(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(path.name)
    return line


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)  # type: ignore[arg-type]
    return file.getvalue()


def png_claiming(width: int, height: int, padding: int = 0) -> bytes:
    """A PNG whose header is sound and whose pixels are missing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", bytes(padding)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.97])
def test_truncated(tmp_path: Path, small_portrait: Image.Image, form: str, kept: float) -> None:
    """A file whose end is missing is named truncated, wherever it was cut."""
    whole = encoded(small_portrait, form)
    assert "is truncated" in refusal(tmp_path / "cut", whole[: int(len(whole) * kept)])


def test_truncated_compressed_tiff(tmp_path: Path, small_portrait: Image.Image) -> None:
    """Also a TIFF that libtiff decodes, and one whose directory at the end is gone."""
    whole = encoded(small_portrait, "TIFF", compression="tiff_deflate")
    assert "is truncated" in refusal(tmp_path / "cut", whole[: len(whole) // 2])
    assert "is truncated" in refusal(tmp_path / "cut", b"II*\0" + struct.pack("<I", 5000) + bytes(100))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF"])
def test_header_only(tmp_path: Path, small_portrait: Image.Image, form: str) -> None:
    """Even a file cut in its first bytes ends in a clear line."""
    refusal(tmp_path / "cut", encoded(small_portrait, form)[:12])


def test_zero_bytes(tmp_path: Path) -> None:
    """An empty file is called empty."""
    assert "is empty (0 bytes)" in refusal(tmp_path / "a.jpg", b"")


def test_text(tmp_path: Path) -> None:
    """A text file is no picture, and the line says which formats are."""
    assert "JPEG, PNG and TIFF" in refusal(tmp_path / "a.jpg", b"<html>404 not found</html>")


@pytest.mark.parametrize(
    ("form", "label"), [("GIF", "a GIF"), ("WEBP", "a WebP"), ("BMP", "a BMP"), ("AVIF", "an AVIF")]
)
def test_other_formats_are_named(tmp_path: Path, small_portrait: Image.Image, form: str, label: str) -> None:
    """A picture in a format that is not supported is called what it is, whatever its name."""
    line = refusal(tmp_path / "a.jpg", encoded(small_portrait, form))
    assert f"is {label} file" in line
    assert "JPEG, PNG and TIFF are supported" in line


def test_heic_is_named(tmp_path: Path) -> None:
    """The format phones write is named too."""
    assert "is a HEIC file" in refusal(tmp_path / "a.jpg", b"\0\0\0\x18ftypheic" + bytes(100))


def test_missing_file(tmp_path: Path) -> None:
    """A file that is not there says so."""
    with pytest.raises(InputError, match=r"gone\.jpg can't be read: No such file"):
        decode(tmp_path / "gone.jpg")


def test_too_long_a_side(tmp_path: Path) -> None:
    """A side beyond 32,000 px is refused, and the line has the limit."""
    assert "at most 32,000" in refusal(tmp_path / "a.png", png_claiming(32_001, 10))


def test_too_many_megapixels(tmp_path: Path) -> None:
    """More than 100 MP are refused, and the line has the limit."""
    assert "at most 100 MP" in refusal(tmp_path / "a.png", png_claiming(10_001, 10_000, padding=50_000))


@pytest.mark.parametrize("side", [10_000, 30_000])
def test_bomb(tmp_path: Path, side: int) -> None:
    """A tiny file that claims a huge picture is refused before anything of that size is reserved."""
    refusal(tmp_path / "a.png", png_claiming(side, side))


def test_a_small_claim_of_a_bomb_is_called_one(tmp_path: Path) -> None:
    """Within the size limits it is the file's few bytes that give a bomb away."""
    assert "decompression bomb" in refusal(tmp_path / "a.png", png_claiming(9_000, 9_000))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), form=st.sampled_from(["JPEG", "PNG", "TIFF"]))
@pytest.mark.filterwarnings("ignore")  # Pillow's remarks on what it skips are not the promise here
def test_damaged_bytes_never_escape_as_anything_else(tmp_path: Path, data: st.DataObject, form: str) -> None:
    """However a file is damaged, it decodes or is refused by an InputError of one line."""
    content = bytearray(encoded(Image.linear_gradient("L").resize((40, 40)), form))
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        picture = decode(path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017 (both ends are sound; only the shape of the refusal is the promise)
    else:
        assert picture.rgb.shape == (picture.height, picture.width, 3)
