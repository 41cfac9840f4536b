"""Decoding keeps what a picture shows, whatever way it was stored."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from engine.faces.decode import decode
from engine.faces.picture import Picture

RAMP = np.tile(np.arange(256, dtype=np.uint8), (8, 1))  # 8 x 256, black to white


def grey_profile(gamma: float) -> bytes:
    """The smallest ICC profile of a grey space: a white point and a curve (ICC.1:2001-04)."""
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, len(white), b"kTRC", 176, len(curve))
    body = tags + white + curve
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"test", 0x02400000, b"mntr", b"GRAY", b"XYZ ")
    header += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp")
    header += bytes(28) + struct.pack(">iii", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + body


def decoded(image: Image.Image, path: Path, **settings: object) -> Picture:
    image.save(path, **settings)  # type: ignore[arg-type]
    return decode(path)


@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "jpeg"), ("png", "png"), ("tif", "tiff")])
def test_the_three_formats(tmp_path: Path, astronaut: Image.Image, suffix: str, kind: str) -> None:
    """JPEG, PNG and TIFF come out as RGB of the picture's size, and say what they were."""
    picture = decoded(astronaut, tmp_path / f"a.{suffix}")
    assert (picture.format, picture.width, picture.height, picture.alpha) == (kind, 512, 512, None)
    assert np.abs(picture.rgb.astype(int) - np.asarray(astronaut)).mean() < 4


def test_the_extension_is_not_trusted(tmp_path: Path, astronaut: Image.Image) -> None:
    """A PNG that is called .jpg is read as the PNG it is."""
    path = tmp_path / "lie.jpg"
    astronaut.save(path, "PNG")
    assert decode(path).format == "png"


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_grey_has_three_equal_channels(tmp_path: Path, suffix: str) -> None:
    """A grey picture keeps its tones and gets no tint."""
    rgb = decoded(Image.fromarray(RAMP), tmp_path / f"a.{suffix}").rgb
    assert np.ptp(rgb, axis=2).max() == 0
    assert np.abs(rgb[..., 0].astype(int) - RAMP).max() <= 4


def test_sixteen_bit_grey_is_scaled(tmp_path: Path) -> None:
    """16-bit grey from PNG and TIFF spans black to white as it did before."""
    deep = Image.fromarray(RAMP.astype(np.uint16) * 257)
    for name in ("a.png", "a.tif"):
        assert np.array_equal(decoded(deep, tmp_path / name).rgb[..., 0], RAMP)


def test_sixteen_bit_big_endian_tiff(tmp_path: Path) -> None:
    """The byte order of a 16-bit TIFF does not change its tones."""
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of_sixteen_bits(RAMP.astype(np.uint16) * 257, ">", photometric=1))
    assert np.array_equal(decode(path).rgb[..., 0], RAMP)


def test_sixteen_bit_tiff_with_white_as_zero(tmp_path: Path) -> None:
    """A 16-bit TIFF whose zero is white is not shown as a negative."""
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_of_sixteen_bits(RAMP.astype(np.uint16) * 257, "<", photometric=0))
    assert np.array_equal(decode(path).rgb[..., 0], RAMP[:, ::-1])


def tiff_of_sixteen_bits(values: np.ndarray, order: str, photometric: int) -> bytes:
    """One strip, no compression (TIFF 6.0, section 2)."""
    height, width = values.shape
    data = values.astype(order + "u2").tobytes()
    entries = [(256, width), (257, height), (258, 16), (259, 1), (262, photometric), (273, 8), (277, 1), (278, height)]
    entries.append((279, len(data)))
    directory = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in entries)
    start = 8 + len(data)
    head = {">": b"MM\0*", "<": b"II*\0"}[order] + struct.pack(order + "I", start)
    return head + data + struct.pack(order + "H", len(entries)) + directory + bytes(4)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_tiff(tmp_path: Path, white: float) -> None:
    """A float TIFF of any customary range keeps its tones; a NaN is black."""
    values = RAMP.astype(np.float32) / 255 * white
    values[0, 5] = np.nan
    expected = RAMP.copy()
    expected[0, 5] = 0
    rgb = decoded(Image.fromarray(values), tmp_path / "a.tif").rgb
    assert np.abs(rgb[..., 0].astype(int) - expected).max() <= 1


def test_thirty_two_bit_grey(tmp_path: Path) -> None:
    """32-bit integers beyond every customary range are spread from darkest to lightest."""
    rgb = decoded(Image.fromarray(RAMP.astype(np.int32) * 100_000), tmp_path / "a.tif").rgb
    assert np.array_equal(rgb[..., 0], RAMP)


def test_one_bit(tmp_path: Path) -> None:
    """A bilevel picture is black and white."""
    image = Image.fromarray(RAMP).point(lambda value: 255 * (value > 99)).convert("1")
    rgb = decoded(image, tmp_path / "a.png").rgb
    assert set(np.unique(rgb)) == {0, 255}


def test_palette(tmp_path: Path, astronaut: Image.Image) -> None:
    """A palette picture has the colours its palette says."""
    indexed = astronaut.quantize(64)
    assert np.array_equal(decoded(indexed, tmp_path / "a.png").rgb, np.asarray(indexed.convert("RGB")))


def test_palette_with_transparency(tmp_path: Path, astronaut: Image.Image) -> None:
    """A transparent palette entry becomes alpha 0, the others stay opaque."""
    indexed = astronaut.quantize(16)
    alpha = decoded(indexed, tmp_path / "a.png", transparency=3).alpha
    assert alpha is not None
    assert np.array_equal(alpha == 0, np.asarray(indexed) == 3)


@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", "png"), ("LA", "png"), ("RGBA", "tif"), ("LA", "tif")])
def test_alpha_is_kept_apart(tmp_path: Path, mode: str, suffix: str) -> None:
    """Alpha comes out as its own plane, and does not change the colours under it."""
    image = Image.merge("LA", [Image.fromarray(RAMP), Image.fromarray(RAMP[:, ::-1].copy())]).convert(mode)
    picture = decoded(image, tmp_path / f"a.{suffix}")
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, RAMP[:, ::-1])
    assert np.array_equal(picture.rgb[..., 1], RAMP)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    """CMYK keeps its colours, also in a JPEG, where they are stored inverted."""
    ink = Image.new("CMYK", (32, 32), (0, 200, 200, 20))  # a red
    red, green, blue = decoded(ink, tmp_path / f"a.{suffix}").rgb[16, 16].tolist()
    assert red > 200 > 80 > max(green, blue)


def test_lab_tiff(tmp_path: Path) -> None:
    """A CIELAB picture is shown in the colours it means."""
    lab = ImageCms.profileToProfile(
        Image.new("RGB", (16, 16), (200, 60, 60)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    assert np.abs(decoded(lab, tmp_path / "a.tif").rgb[8, 8].astype(int) - (200, 60, 60)).max() < 6


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_exif_orientation_is_applied(tmp_path: Path, astronaut: Image.Image, turn: int, suffix: str) -> None:
    """All eight orientations come out as the picture a viewer shows, in every format."""
    image, exif = astronaut.crop((100, 0, 356, 128)), Image.Exif()
    exif[0x0112] = turn
    path = tmp_path / f"a.{suffix}"
    image.save(path, exif=exif)
    picture = decode(path)
    assert (picture.width, picture.height) == ((256, 128) if turn < 5 else (128, 256))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    upright = image.transpose(undo[turn]) if turn > 1 else image
    assert np.abs(picture.rgb.astype(int) - np.asarray(upright)).mean() < 4


def test_rgb_profile_is_kept(tmp_path: Path, astronaut: Image.Image) -> None:
    """An RGB profile comes along, and the values it explains are not touched."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decoded(astronaut, tmp_path / "a.png", icc_profile=profile)
    assert picture.icc == profile
    assert np.array_equal(picture.rgb, np.asarray(astronaut))


def test_grey_profile_is_applied_and_left(tmp_path: Path) -> None:
    """Linear grey is brought to sRGB tones, stays grey, and its profile is not put on RGB pixels."""
    picture = decoded(Image.fromarray(RAMP), tmp_path / "a.png", icc_profile=grey_profile(1.0))
    assert picture.icc is None
    assert np.ptp(picture.rgb, axis=2).max() == 0
    assert abs(int(picture.rgb[0, 55, 0]) - 128) <= 3  # linear 0.216 is sRGB 0.502


def test_a_profile_of_another_space_is_dropped(tmp_path: Path, astronaut: Image.Image) -> None:
    """A grey profile on an RGB picture, or one that is no profile at all, is left out and harms nothing."""
    for profile in (grey_profile(2.2), b"not a profile at all"):
        picture = decoded(astronaut, tmp_path / "a.png", icc_profile=profile)
        assert picture.icc is None
        assert np.array_equal(picture.rgb, np.asarray(astronaut))


def test_broken_cmyk_profile_falls_back(tmp_path: Path) -> None:
    """A CMYK picture whose profile is damaged is converted by the plain formula."""
    profile = grey_profile(2.2)
    profile = profile[:16] + b"CMYK" + profile[20:]
    rgb = decoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.tif", icc_profile=profile).rgb
    assert rgb[4, 4].tolist() == [255, 0, 0]


def test_exif_is_kept_upright_and_without_what_is_stale(tmp_path: Path, astronaut: Image.Image) -> None:
    """Who, when and where stay; orientation is 1; sizes and maker notes of the old file go."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x013B] = "A. Photographer"
    exif[0x8769] = {0x9003: "1992:07:01 10:00:00", 0xA002: 512, 0x927C: b"offsets"}
    exif[0x8825] = {1: "N"}
    for suffix in ("jpg", "png", "tif"):
        kept = Image.Exif()
        kept.load(decoded(astronaut, tmp_path / f"a.{suffix}", exif=exif.tobytes()).exif or b"")
        assert kept[0x0112] == 1
        assert kept[0x013B] == "A. Photographer"
        assert kept.get_ifd(0x8769) == {0x9003: "1992:07:01 10:00:00"}
        assert kept.get_ifd(0x8825) == {1: "N"}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's remark on the EXIF, which the user need not see
def test_broken_exif_does_not_stop_a_picture(tmp_path: Path, astronaut: Image.Image) -> None:
    """EXIF that can't be read is dropped without a word."""
    for exif in (b"Exif\0\0garbage", b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01"):
        assert decoded(astronaut, tmp_path / "a.jpg", exif=exif).exif is None
