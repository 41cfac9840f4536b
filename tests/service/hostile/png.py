"""PNGs that lie, bloat or never end. Each entry of `CASES` makes one, from code alone."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MB = 1024 * 1024


def chunk(kind: bytes, body: bytes, *, length: int | None = None, crc: int | None = None) -> bytes:
    """One chunk; `length` and `crc` may lie."""
    sum_ = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body) if length is None else length) + kind + body + struct.pack(">I", sum_)


def ihdr(width: int, height: int, *, depth: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace))


def packed(size_bytes: int) -> bytes:
    """Deflated zeros, whole megabytes of them: one block again and again, so that making gigabytes takes no time."""
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(MB)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + block * (size_bytes // MB - 1) + packer.flush()[:-4] + struct.pack(">HH", size_bytes % 65_521, 1)


def png(*chunks: bytes, width: int = 40, height: int = 30, pixels: bytes | None = None, **header: int) -> bytes:
    """A picture of one colour with `chunks` before its pixels."""
    rows = zlib.compress(bytes((1 + 3 * width) * height)) if pixels is None else pixels
    return SIGNATURE + ihdr(width, height, **header) + b"".join(chunks) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def text_bomb(kind: bytes, size_bytes: int) -> bytes:
    body = packed(size_bytes)
    heads = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}
    return chunk(kind, heads[kind] + body)


def exif_loop() -> bytes:
    """EXIF whose one directory is its own Exif group and its own successor."""
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 8)


def exif_all_over(entries: int = 5000) -> bytes:
    """EXIF with thousands of tags, each of which is the whole block."""
    size = 8 + 2 + 12 * entries + 4
    tags = b"".join(struct.pack("<HHII", 0x9000 + at, 7, size - 16, 8) for at in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + tags + bytes(4)


def _apng(frames: int, claimed: int) -> bytes:
    rows = zlib.compress(bytes(121 * 30))
    made = [chunk(b"acTL", struct.pack(">II", claimed, 0))]
    more = []
    for at in range(frames):
        control = chunk(b"fcTL", struct.pack(">IIIIIHHBB", at, 40, 30, 0, 0, 1, 1, 0, 0))
        more.append(control + chunk(b"fdAT", struct.pack(">I", at) + rows))
    whole = png(*made)
    return whole[:-12] + b"".join(more) + whole[-12:]


CASES = {
    "png zero width": lambda: png(width=0),
    "png zero height": lambda: png(height=0),
    "png 2^31 a side": lambda: png(pixels=b"", width=2**31 - 1, height=2**31 - 1),
    "png 2^32-1 wide": lambda: png(pixels=b"", width=2**32 - 1, height=1),
    "png just over a side": lambda: png(pixels=b"", width=32_001, height=1),
    "png just over 100 MP": lambda: png(pixels=b"", width=10_001, height=10_000),
    "png 100 MP in no bytes": lambda: png(pixels=zlib.compress(b""), width=10_000, height=10_000),
    "png small claim, 2 GB of pixels": lambda: png(pixels=packed(2048 * MB)),
    "png small claim, 300 MB behind the last row": lambda: png(pixels=packed(300 * MB), width=1, height=1),
    "png interlaced, 300 MB behind": lambda: png(pixels=packed(300 * MB), width=3, height=3, interlace=1),
    "png no pixels at all": lambda: SIGNATURE + ihdr(40, 30) + chunk(b"IEND", b""),
    "png no end": lambda: png()[:-12],
    "png half its pixels": lambda: png()[:60],
    "png pixels that are no deflate": lambda: png(pixels=b"\xff" * 400),
    "png too few rows": lambda: png(pixels=zlib.compress(bytes(121 * 3))),
    "png bad filter byte": lambda: png(pixels=zlib.compress(b"\x09" * (121 * 30))),
    "png wrong crc of the header": lambda: SIGNATURE + chunk(b"IHDR", bytes(13), crc=7) + png()[33:],
    "png wrong crc of the pixels": lambda: png()[:-16] + b"\0\0\0\0" + png()[-12:],
    "png chunk length beyond the end": lambda: png(chunk(b"tEXt", b"k\0v", length=2**31 - 1)),
    "png chunk length 2^32-1": lambda: png(chunk(b"tEXt", b"k\0v", length=2**32 - 1)),
    "png header chunk too short": lambda: SIGNATURE + chunk(b"IHDR", b"\0\0\0\1") + png()[33:],
    "png header chunk too long": lambda: SIGNATURE + chunk(b"IHDR", bytes([0, 0, 0, 4] * 2) + bytes(400)) + png()[33:],
    "png two headers": lambda: png(ihdr(9000, 9000)),
    "png depth 3": lambda: png(depth=3),
    "png depth 0": lambda: png(depth=0),
    "png colour type 9": lambda: png(colour=9),
    "png palette without a palette": lambda: png(colour=3),
    "png palette of 70,000 bytes": lambda: png(chunk(b"PLTE", bytes(70_000)), colour=3),
    "png transparency of 70,000 bytes": lambda: png(chunk(b"tRNS", bytes(70_000))),
    "png interlace method 7": lambda: png(interlace=7),
    "png zTXt bomb": lambda: png(text_bomb(b"zTXt", 1024 * MB)),
    "png iTXt bomb": lambda: png(text_bomb(b"iTXt", 1024 * MB)),
    "png iCCP bomb": lambda: png(text_bomb(b"iCCP", 1024 * MB)),
    "png 3,000 zTXt of 1 MB": lambda: png(text_bomb(b"zTXt", MB) * 3000),
    "png 3,000 iCCP of 1 MB": lambda: png(text_bomb(b"iCCP", MB) * 3000),
    "png 3,000 zTXt behind the pixels": lambda: png()[:-12] + text_bomb(b"zTXt", MB) * 3000 + png()[-12:],
    "png 40 tEXt of 2 MB": lambda: png(chunk(b"tEXt", b"k\0" + bytes(2 * MB)) * 40),
    "png a million empty chunks": lambda: png(chunk(b"teSt", b"") * 1_000_000),
    "png a million empty chunks behind": lambda: png()[:-12] + chunk(b"teSt", b"") * 1_000_000 + png()[-12:],
    "png 200,000 empty IDATs": lambda: (
        SIGNATURE + ihdr(40, 30) + chunk(b"IDAT", b"") * 200_000 + png()[len(SIGNATURE + ihdr(1, 1)) :]
    ),
    "png critical chunk nobody knows": lambda: png(chunk(b"BOMB", b"x")),
    "png chunk name of controls": lambda: png(chunk(b"\0\1\2\3", b"x")),
    "png eXIf in a circle": lambda: png(chunk(b"eXIf", exif_loop())),
    "png eXIf of overlapping tags": lambda: png(chunk(b"eXIf", exif_all_over())),
    "png eXIf of rubbish": lambda: png(chunk(b"eXIf", b"\xff" * 5000)),
    "png eXIf of 20 MB": lambda: png(chunk(b"eXIf", b"II*\0\x08\0\0\0" + bytes(20 * MB))),
    "png ICC that is none": lambda: png(chunk(b"iCCP", b"k\0\0" + zlib.compress(b"rubbish" * 50))),
    "png gamma, chroma, density cut short": lambda: png(
        chunk(b"gAMA", b""), chunk(b"cHRM", b"\0"), chunk(b"pHYs", b"\0")
    ),
    "apng 2,000 frames": lambda: _apng(2000, 2001),
    "apng claims 2^31 frames": lambda: _apng(1, 2**31 - 1),
    "apng claims no frames": lambda: _apng(0, 0),
}
# In fact pictures: they must come back restored.
HARMLESS = ("png eXIf in a circle", "png eXIf of rubbish", "png ICC that is none", "apng claims no frames")
