"""A folder of everything that people have in picture folders: odd but sound pictures, and whatever is none."""

import io
import os
import socket
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from tests.acceptance.program import portrait, powerless_prefix

SIDE = 64


def make_good(folder: Path) -> list[str]:
    """Write 20 unusual but sound pictures and return their names below `folder`."""
    face = portrait(SIDE)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    deep = Image.fromarray(np.asarray(face.convert("L")).astype(np.uint16) * 257)
    writers = {
        "plain.jpg": face.save,
        "plain.png": face.save,
        "plain.tif": face.save,
        "progressive.jpeg": lambda path: face.save(path, progressive=True),
        "deflate.tiff": lambda path: face.save(path, compression="tiff_deflate"),
        "grey.jpg": lambda path: face.convert("L").save(path),
        "grey.png": lambda path: face.convert("L").save(path),
        "palette.png": lambda path: face.convert("P", palette=Image.Palette.ADAPTIVE).save(path),
        "bilevel.png": lambda path: face.convert("1").save(path),
        "cmyk.jpg": lambda path: face.convert("CMYK").save(path),
        "cmyk.tif": lambda path: face.convert("CMYK").save(path),
        "deep.png": deep.save,
        "deep.tif": deep.save,
        "alpha.png": lambda path: _with_alpha(face).save(path),
        "grey alpha.png": lambda path: _with_alpha(face).convert("LA").save(path),
        "turned.jpg": lambda path: face.crop((0, 0, SIDE, SIDE - 16)).save(path, exif=exif),
        "a png.jpg": lambda path: face.save(path, "PNG"),
        "no extension": lambda path: face.save(path, "JPEG"),
        "Größe 写真 🙂.JPG": lambda path: face.save(path, "JPEG"),
        "sub folder/ spaces  inside .jpg": lambda path: face.save(path, "JPEG"),
    }
    for name, write in writers.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    return sorted(writers)


def _with_alpha(face: Image.Image) -> Image.Image:
    image = face.copy()
    image.putalpha(Image.linear_gradient("L").resize(face.size))
    return image


def make_bad(folder: Path) -> dict[str, str]:
    """Write every bad input into `folder`; return what its reason must match, by name."""
    face = portrait(SIDE)
    for name, form in (("cut.jpg", "JPEG"), ("cut.png", "PNG"), ("cut.tif", "TIFF")):
        (folder / name).write_bytes(_encoded(face, form)[:-700])
    (folder / "empty.jpg").touch()
    (folder / "letter.jpg").write_text("Dear Sir or Madam")
    (folder / "new.webp").write_bytes(_encoded(face, "WEBP"))
    (folder / "webp.jpg").write_bytes(_encoded(face, "WEBP"))
    (folder / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "film.gif").write_bytes(_encoded(face, "GIF"))
    (folder / "long.png").write_bytes(claiming(32_001, 10))
    (folder / "large.png").write_bytes(claiming(20_000, 20_000))
    (folder / "bomb.png").write_bytes(claiming(1_100, 1_100))
    (folder / "dangling.jpg").symlink_to("gone.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "round").mkdir()
    (folder / "round" / "again").symlink_to("..")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    _make_socket(folder / "socket.jpg")
    supported = "JPEG, PNG and TIFF are supported"
    reasons = {
        **dict.fromkeys(("cut.jpg", "cut.png", "cut.tif"), "truncated"),
        "empty.jpg": r"is empty \(0 bytes\)",
        "letter.jpg": f"is not an image; {supported}",
        "new.webp": f"WEBP.*{supported}",
        "webp.jpg": f"WEBP.*{supported}",
        "phone.heic": f"HEIC.*{supported}",
        "film.gif": f"GIF.*{supported}",
        "long.png": "32001 x 10 pixels; the limit is 32,000 a side",
        "large.png": "400 megapixels; the limit is 100",
        "bomb.png": "decompression bomb",
        "dangling.jpg": "dangling link: gone.jpg does not exist",
        "loop.jpg": "link loop",
        "round/again": "link loop",
        "pipe.jpg": "is a pipe",
        "device.jpg": "is a device",
        "socket.jpg": "is a socket",
    }
    if powerless_prefix() is not None:
        (folder / "secret.jpg").write_bytes(_encoded(face, "JPEG"))
        (folder / "secret.jpg").chmod(0)
        reasons["secret.jpg"] = "can't be read: Permission denied"
    return reasons


def _encoded(image: Image.Image, form: str) -> bytes:
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def claiming(width: int, height: int) -> bytes:
    """Return a PNG whose header is sound and whose pixels are missing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def _make_socket(path: Path) -> None:
    """Bind in a folder with a short name, since a socket's may have 107 bytes (unix(7)), then move."""
    with tempfile.TemporaryDirectory(dir=path.parents[2]) as short, socket.socket(socket.AF_UNIX) as endpoint:
        name = Path(short) / "s"
        endpoint.bind(os.path.relpath(name))
        name.rename(path)
