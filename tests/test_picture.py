"""What a picture file says of itself: format, upright size, and whether it can be one at all."""

import contextlib
import io
import os
import socket
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.errors import InputError
from engine.limits import MAX_BYTES
from engine.picture import check_decodes, read_header, sniff

FORMATS = {"jpeg": "JPEG", "png": "PNG", "tiff": "TIFF"}


def _picture(format_name: str, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    noise = Image.effect_noise(size, 60).convert(mode)
    noise.save(file, FORMATS[format_name], **options)
    return file.getvalue()


def _turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_head(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and that holds next to nothing."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(bytes(10))) + _chunk(b"IEND", b"")


def _file(folder: Path, content: bytes, name: str = "a.bin") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _reason(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_header(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a", "a.txt"])
@pytest.mark.parametrize("format_name", FORMATS)
def test_the_format_is_told_by_content(tmp_path: Path, format_name: str, name: str):
    """A wrong extension, or none, changes nothing."""
    content = _picture(format_name)
    path = _file(tmp_path, content, name)
    header = read_header(path)
    assert (header.format, header.width, header.height) == (format_name, 40, 30)
    assert header.size_bytes == len(content)


@pytest.mark.parametrize("mode", ["L", "RGBA", "1", "I;16", "P", "CMYK"])
def test_every_kind_of_pixel_has_a_header(tmp_path: Path, mode: str):
    """Grey, alpha, palette, 16 bit, print colours: the header does not care."""
    file = io.BytesIO()
    Image.new(mode, (7, 9)).save(file, "TIFF" if mode == "CMYK" else "PNG")
    header = read_header(_file(tmp_path, file.getvalue()))
    assert (header.width, header.height) == (7, 9)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", FORMATS)
def test_sizes_are_those_of_the_upright_picture(tmp_path: Path, format_name: str, orientation: int):
    """EXIF orientations 5 to 8 swap width and height, in every format that can say so."""
    content = _picture(format_name, exif=_turned(orientation))
    header = read_header(_file(tmp_path, content))
    assert (header.width, header.height) == ((30, 40) if orientation >= 5 else (40, 30))


@pytest.mark.parametrize("exif", [b"", b"II*\0", b"MM\0*\0\0\0\x08\xff\xff", os.urandom(500)])
def test_broken_exif_is_no_reason_to_refuse_a_picture(tmp_path: Path, exif: bytes):
    """The pixels are still a picture, taken as they are stored."""
    plain = _picture("png")
    at = 8 + 25  # behind the signature and IHDR
    header = read_header(_file(tmp_path, plain[:at] + _chunk(b"eXIf", exif) + plain[at:]))
    assert (header.width, header.height) == (40, 30)


@pytest.mark.parametrize("options", [{"big_tiff": True}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}])
def test_tiff_in_its_variants(tmp_path: Path, options: dict):
    """BigTIFF and compressed files are read like plain ones."""
    header = read_header(_file(tmp_path, _picture("tiff", **options)))
    assert (header.format, header.width, header.height) == ("tiff", 40, 30)


@pytest.mark.parametrize(("order", "mark"), [("<", b"II"), (">", b"MM")])
def test_tiff_in_both_byte_orders(tmp_path: Path, order: str, mark: bytes):
    """Intel and Motorola files say the same."""
    tags = [(256, 3, 12), (257, 3, 34)]
    entries = b"".join(struct.pack(f"{order}HHIHxx", tag, kind, 1, value) for tag, kind, value in tags)
    content = mark + struct.pack(f"{order}HIH", 42, 8, len(tags)) + entries + bytes(4)
    header = read_header(_file(tmp_path, content))
    assert (header.width, header.height) == (12, 34)


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "jpeg"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "png"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"II+\0", "tiff"),
        (b"MM\0+", "tiff"),
        (b"GIF87a", "gif"),
        (b"GIF89a", "gif"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", ""),
        (b"BM\x10\0", "bmp"),
        (b"\0\0\0\x18ftypheic", "heic"),
        (b"\0\0\0\x18ftypmif1", "heic"),
        (b"\0\0\0\x18ftypavif", "avif"),
        (b"\0\0\0\x18ftypisom", "mp4"),
        (b"8BPS\0\x01", "psd"),
        (b"%PDF-1.7", "pdf"),
        (b"\xff\x0a", "jpegxl"),
        (b"\0\0\0\x0cjP  \r\n", "jpeg2000"),
        (b"hello, world", ""),
        (b"\xff\xd8", ""),
        (b"", ""),
    ],
)
def test_formats_are_named(start: bytes, name: str):
    """A foreign picture is called what it is, so that the user knows what to convert."""
    assert sniff(start) == name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty (0 bytes)"),
        (b"hello", "is not an image; JPEG, PNG and TIFF are supported"),
        (b"\0", "is not an image; JPEG, PNG and TIFF are supported"),
        (b"GIF89a" + bytes(30), "is GIF; JPEG, PNG and TIFF are supported"),
        (b"RIFF\x10\0\0\0WEBPVP8 " + bytes(30), "is WEBP; JPEG, PNG and TIFF are supported"),
        (b"\0\0\0\x18ftypheic" + bytes(30), "is HEIC; JPEG, PNG and TIFF are supported"),
        (b"BM" + bytes(60), "is BMP; JPEG, PNG and TIFF are supported"),
        (b"\xff\xd8\xff", "has a damaged JPEG header"),
        (b"\x89PNG\r\n\x1a\n", "has a damaged PNG header"),
        (b"II*\0", "has a damaged TIFF header"),
        (b"MM\0+" + bytes(40), "has a damaged TIFF header"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(tmp_path: Path, content: bytes, reason: str):
    """Each refusal is one short reason that a person can act on."""
    assert _reason(_file(tmp_path, content, "a.jpg")).startswith(reason)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (32_001, 1, "is 32001 x 1 pixels; the limit is 32,000 a side"),
        (1, 32_001, "is 1 x 32001 pixels; the limit is 32,000 a side"),
        (2**31 - 1, 2**31 - 1, "pixels; the limit is 32,000 a side"),
        (10_001, 10_000, "is 100 megapixels; the limit is 100"),
        (32_000, 32_000, "is 1,024 megapixels; the limit is 100"),
        (0, 10, "has a damaged PNG header: no dimensions in it"),
    ],
)
def test_pictures_beyond_the_limits_are_refused_by_their_header(tmp_path: Path, width: int, height: int, reason: str):
    """A hundred bytes that claim a gigapixel are never decoded: the claim is enough."""
    path = _file(tmp_path, _png_head(width, height))
    assert path.stat().st_size < 100
    assert reason in _reason(path)


@pytest.mark.parametrize(("width", "height"), [(32_000, 1), (10_000, 10_000), (1, 1)])
def test_pictures_at_the_limits_are_taken(tmp_path: Path, width: int, height: int):
    """The limits themselves are allowed."""
    header = read_header(_file(tmp_path, _png_head(width, height)))
    assert (header.width, header.height) == (width, height)


@pytest.mark.parametrize("format_name", ["jpeg", "png"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_truncated_pictures_are_refused(tmp_path: Path, format_name: str, share: float):
    """A copy or download that broke off is found before it is paid for."""
    content = _picture(format_name, (200, 150))
    reason = _reason(_file(tmp_path, content[: int(len(content) * share)]))
    assert reason.startswith("does not decode, truncated or damaged (")
    assert "\n" not in reason


def test_a_thumbnails_end_is_not_the_pictures(tmp_path: Path):
    """A truncated camera picture holds the whole thumbnail, end mark included; it is truncated all the same."""
    thumbnail = _picture("jpeg", (16, 12))
    exif = b"Exif\0\0" + thumbnail
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    whole = _picture("jpeg", (100, 80))
    with_thumbnail = whole[:2] + segment + whole[2:]
    assert read_header(_file(tmp_path, with_thumbnail)).width == 100
    assert "does not decode" in _reason(_file(tmp_path, with_thumbnail[: len(with_thumbnail) * 2 // 3]))


@pytest.mark.parametrize("format_name", ["jpeg", "png"])
@pytest.mark.parametrize(
    "trailer", [bytes(3000), b"\0", b"SEFT trailer of a phone" * 9, b"\xff\xd9 no", b"x" * 100_000]
)
def test_what_programs_write_behind_the_end_is_no_damage(tmp_path: Path, format_name: str, trailer: bytes):
    """Padding and makers' trailers behind a whole picture are taken: it decodes."""
    header = read_header(_file(tmp_path, _picture(format_name) + trailer))
    assert (header.width, header.height) == (40, 30)


def test_what_is_no_file_is_refused_unopened(tmp_path: Path):
    """Folders, pipes, devices, sockets: nothing of it is opened, so nothing can hang."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(tmp_path)  # a socket's path must be short
        try:
            listener.bind("socket")
        finally:
            os.chdir(before)
        kinds = {"pipe": "a pipe", "socket": "a socket", ".": "a folder", "/dev/null": "a device"}
        assert {name: _reason(tmp_path / name) for name in kinds} == {
            name: f"is {kind}, not a file" for name, kind in kinds.items()
        }


def test_links_are_followed_or_explained(tmp_path: Path):
    """A link to a picture is the picture; one that leads nowhere says where it points."""
    _file(tmp_path, _picture("png"), "real.png")
    (tmp_path / "good").symlink_to("real.png")
    (tmp_path / "dangling").symlink_to("gone.png")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert read_header(tmp_path / "good").width == 40
    assert _reason(tmp_path / "dangling") == "is a dangling link: gone.png does not exist"
    assert _reason(tmp_path / "one") == "is a link that leads nowhere (a link loop)"
    assert _reason(tmp_path / "missing") == "does not exist"
    assert _reason(tmp_path / "real.png" / "x") == "can't be read: Not a directory"


def test_names_that_can_not_exist_are_refused_in_words(tmp_path: Path):
    """Neither a NUL nor a name far too long ends the program."""
    assert _reason(tmp_path / "a\0b.jpg") == "can't be read: no file can have this name"
    assert _reason(tmp_path / ("x" * 300)) == "can't be read: File name too long"


def test_files_over_the_requests_limit_are_refused_unread(tmp_path: Path):
    """The contract takes 500 MB; a larger file is refused by its size alone."""
    path = _file(tmp_path, _picture("png"))
    os.truncate(path, MAX_BYTES + 1)
    assert _reason(path) == "is 500 MB; the limit is 500 MB"


class TestCheckDecodes:
    """Decoding every pixel: the check that a result, or a doubtful input, is whole."""

    @pytest.mark.parametrize("format_name", FORMATS)
    def test_a_whole_picture_tells_its_size(self, tmp_path: Path, format_name: str):
        """Width and height come from the pixels."""
        assert check_decodes(_file(tmp_path, _picture(format_name))) == (40, 30)

    @pytest.mark.parametrize(("format_name", "size"), [("jpeg", (40, 30)), ("png", (40, 30)), ("tiff", (30, 40))])
    def test_an_orientation_turns_tiffs_only(self, tmp_path: Path, format_name: str, size: tuple[int, int]):
        """The pixels are told as they are stored; Pillow itself turns a TIFF."""
        assert check_decodes(_file(tmp_path, _picture(format_name, exif=_turned(6)))) == size

    @pytest.mark.parametrize("format_name", FORMATS)
    def test_a_truncated_one_is_refused(self, tmp_path: Path, format_name: str):
        """Wherever the end is missing, TIFF included."""
        content = _picture(format_name, (200, 150))
        for share in (0.2, 0.5, 0.95):
            with pytest.raises(InputError, match=r"^does not decode"):
                check_decodes(_file(tmp_path, content[: int(len(content) * share)]))

    def test_no_other_parser_can_be_reached(self, tmp_path: Path):
        """A GIF is no result, and PostScript is never run, though Pillow could do both."""
        gif = io.BytesIO()
        Image.new("P", (4, 4)).save(gif, "GIF")
        for content in (gif.getvalue(), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"BM" + bytes(99), b""):
            with pytest.raises(InputError):
                check_decodes(_file(tmp_path, content))

    def test_a_missing_file_is_an_input_error(self, tmp_path: Path):
        """It does not decode either."""
        with pytest.raises(InputError):
            check_decodes(tmp_path / "gone.png")


# Pillow warns of much that is wrong in a hostile file; what counts here is how it ends.
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    format_name=st.sampled_from(sorted(FORMATS)),
    changes=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.none() | st.integers(0, 2000),
)
def test_damaged_headers_end_in_an_input_error_or_a_header(tmp_path: Path, format_name, changes, cut):
    """Whatever is flipped in the first bytes or cut off: a plausible header, or a reason; never another error."""
    content = bytearray(_WHOLE[format_name][:cut])
    for at, value in changes:
        if at < len(content):
            content[at] = value
    path = _file(tmp_path, bytes(content))
    for look in (read_header, check_decodes):
        with contextlib.suppress(InputError):
            look(path)


_WHOLE = {name: _picture(name, (24, 18), exif=_turned(6)) for name in FORMATS}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(
        [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b"MM\0+\0\x08"]
    ),
    rest=st.binary(max_size=300),
)
def test_rubbish_behind_a_good_beginning_is_refused(tmp_path: Path, start: bytes, rest: bytes):
    """Random bytes behind each format's first ones never end in anything but a reason or a header within limits."""
    path = _file(tmp_path, start + rest)
    with contextlib.suppress(InputError):
        header = read_header(path)
        assert 1 <= header.width <= 32_000
        assert 1 <= header.height <= 32_000
        assert header.width * header.height <= 100_000_000


@pytest.mark.parametrize("segments", [b"\xff\xe0\x00\x02", b"\xff"], ids=["empty segments", "fill bytes"])
def test_a_header_without_an_end_is_given_up(tmp_path: Path, segments: bytes):
    """A JPEG that is nothing but segments is refused after some thousand reads, not after its last one."""
    path = _file(tmp_path, b"\xff\xd8\xff" + segments * 200_000)
    with pytest.raises(InputError, match="damaged JPEG header"):
        read_header(path)
