"""What is no JPEG, PNG or TIFF, or is something else as well. Each entry of `CASES` makes one, from code alone."""

import functools
import gzip
import io
import zipfile

from PIL import Image

from tests.service.hostile.jpeg import plain, segment, with_segments
from tests.service.hostile.png import chunk, png

_POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 30\n(/etc/passwd) (r) file 4096 string readstring pop print\n"
)
_SVG = b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>'


@functools.cache
def saved(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(file, form, **options)
    return file.getvalue()


def _mpo() -> bytes:
    """Two JPEGs and an index of them, as cameras for both eyes write it."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30)).save(file, "MPO", save_all=True, append_images=[Image.new("RGB", (40, 30), "blue")])
    return file.getvalue()


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../etc/cron.d/x", bytes(10_000_000))
    return file.getvalue()


CASES = {
    "nothing": lambda: b"",
    "one byte": lambda: b"\x89",
    "two bytes": lambda: b"\xff\xd8",
    "png magic only": lambda: b"\x89PNG\r\n\x1a\n",
    "jpeg magic only": lambda: b"\xff\xd8\xff",
    "zeros": lambda: bytes(5000),
    "text": lambda: b"this is a picture, honestly\n",
    "utf-16 text": lambda: "a picture".encode("utf-16"),
    "html": lambda: b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "svg with an entity": lambda: _SVG,
    "eps": lambda: _POSTSCRIPT,
    "eps in DOS wrapping": lambda: b"\xc5\xd0\xd3\xc6" + bytes(26) + _POSTSCRIPT,
    "pdf": lambda: b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF",
    "gif": lambda: saved("GIF"),
    "bmp": lambda: saved("BMP"),
    "webp": lambda: saved("WEBP"),
    "avif": lambda: saved("AVIF"),
    "ico": lambda: saved("ICO"),
    "icns": lambda: saved("ICNS"),
    "tga": lambda: saved("TGA"),
    "ppm": lambda: saved("PPM"),
    "pcx": lambda: saved("PCX"),
    "dds": lambda: saved("DDS"),
    "jpeg 2000": lambda: saved("JPEG2000"),
    "sgi": lambda: saved("SGI"),
    "psd": lambda: b"8BPS\0\1" + bytes(6) + b"\0\3\0\0\0\x1e\0\0\0\x28\0\x08\0\3" + bytes(500),
    "heic": lambda: b"\0\0\0\x18ftypheic" + bytes(500),
    "mp4": lambda: b"\0\0\0\x18ftypisom" + bytes(500),
    "wmf": lambda: b"\xd7\xcd\xc6\x9a" + bytes(500),
    "fits": lambda: b"SIMPLE  =                    T".ljust(2880),
    "hdf5": lambda: b"\x89HDF\r\n\x1a\n" + bytes(500),
    "zip": _zip,
    "gzip of a png": lambda: gzip.compress(png()),
    "gzip bomb": lambda: gzip.compress(bytes(50_000_000)),
    "pickle": lambda: b"cos\nsystem\n(S'touch /tmp/owned'\ntR.",
    "elf": lambda: b"\x7fELF\2\1\1" + bytes(500),
    "python": lambda: b"#!/usr/bin/env python3\nimport os\n",
    "mpo": _mpo,
    "png, then a zip": lambda: png() + _zip(),
    "jpeg, then html": lambda: plain() + b"<script>alert(1)</script>",
    "jpeg with html in a comment": lambda: with_segments(segment(0xFE, b"<script>alert(1)</script>")),
    "jpeg with postscript in a comment": lambda: with_segments(segment(0xFE, _POSTSCRIPT)),
    "png with html in a text": lambda: png(chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")),
    "jpeg magic, png body": lambda: b"\xff\xd8\xff" + png(),
    "png magic, jpeg body": lambda: b"\x89PNG\r\n\x1a\n" + plain(),
    "tiff magic, png body": lambda: b"II*\0" + png(),
    "gif magic, png body": lambda: b"GIF89a" + png(),
    "space, then a png": lambda: b" " + png(),
}
HARMLESS = (
    "mpo",
    "png, then a zip",
    "jpeg, then html",
    "jpeg with html in a comment",
    "jpeg with postscript in a comment",
    "png with html in a text",
)
