"""Inputs of a bench: small real JPEGs, padded by comment segments to the size that is wanted."""

import io
import os
import random
from pathlib import Path

from PIL import Image

__all__ = ["fill_folder", "padded_jpeg"]

_SIDE_PX = 64  # decodes in a fraction of a millisecond, so that a bench measures the engine and not the codec
_SEGMENT_BYTES = 65_533  # the most that one comment holds (ITU T.81, B.2.4.5: 16-bit length, itself included)
# ext4 allows 65,000 links to one file; so many names share one content here.
_NAMES_A_FILE = 10_000


def padded_jpeg(size_bytes: int, *, side_px: int = _SIDE_PX, seed: int = 0) -> bytes:
    """Return a JPEG of `side_px` squared with exactly `size_bytes`; raises ValueError when it can't be so small."""
    draw = random.Random(seed)  # noqa: S311 -- pictures, not secrets
    picture = Image.linear_gradient("L").resize((side_px, side_px)).rotate(draw.randrange(360)).convert("RGB")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    content = file.getvalue()
    missing = size_bytes - len(content)
    if missing < 0 or 0 < missing < 4:
        raise ValueError(f"{size_bytes} bytes are too few: the picture alone has {len(content)}")
    return content[:2] + _comments(missing) + content[2:]


def _comments(size_bytes: int) -> bytes:
    """Return comment segments of `size_bytes` in all; 1 to 3 left over bytes go into the last one but one."""
    segments = []
    while size_bytes:
        take = min(size_bytes, _SEGMENT_BYTES + 4)
        if 0 < size_bytes - take < 4:
            take -= 4
        segments.append(b"\xff\xfe" + (take - 2).to_bytes(2) + bytes(take - 4))
        size_bytes -= take
    return b"".join(segments)


def fill_folder(folder: Path, count: int, size_bytes: int) -> Path:
    """Make `folder` with `count` JPEGs of `size_bytes` each; many of them are hard links to one content."""
    folder.mkdir(parents=True)
    original = folder
    for number in range(count):
        path = folder / f"{number:06d}.jpg"
        if number % _NAMES_A_FILE == 0:
            path.write_bytes(padded_jpeg(size_bytes, seed=number))
            original = path
        else:
            os.link(original, path)
    return folder
