"""What the simulation hands out is a sound picture, as large as was asked."""

import hashlib

import pytest

from engine.picture import check_decodes, read_header
from engine.service.simulate.results import Results, make_result

_JPEG_SEGMENT = 0xFFFF + 2


@pytest.mark.parametrize("form", ["jpeg", "png", "tiff"])
@pytest.mark.parametrize(
    "size_bytes", [60_000, 60_001, *range(2 * _JPEG_SEGMENT, 2 * _JPEG_SEGMENT + 2000, 499), 3_000_000]
)
def test_a_result_decodes_and_has_its_bytes(tmp_path, form, size_bytes):
    """The file is of the format and size in pixels that were asked for, decodes, and is padded to the byte."""
    result = make_result(form, 320, 200, size_bytes)
    path = tmp_path / "result"
    path.write_bytes(result.body)
    header = read_header(path)
    assert (header.format, header.width, header.height, header.size_bytes) == (form, 320, 200, size_bytes)
    assert check_decodes(path) == (320, 200)
    assert hashlib.sha256(result.body).hexdigest() == result.sha256


@pytest.mark.parametrize("form", ["jpeg", "png", "tiff"])
def test_every_remainder_is_padded(tmp_path, form):
    """Around the border between one comment segment and two no byte is missing and nothing breaks."""
    least = len(make_result(form, 8, 8, 0).body)
    path = tmp_path / "result"
    for more in (*range(12, 24), *range(_JPEG_SEGMENT - 6, _JPEG_SEGMENT + 12)):
        path.write_bytes(make_result(form, 8, 8, least + more).body)
        assert path.stat().st_size == least + more
        assert check_decodes(path) == (8, 8)


@pytest.mark.parametrize("form", ["jpeg", "png", "tiff"])
def test_a_picture_is_never_cut_to_size(tmp_path, form):
    """Where the picture needs more bytes than asked for it has those that it needs."""
    path = tmp_path / "result"
    path.write_bytes(make_result(form, 320, 200, 10).body)
    assert path.stat().st_size > 10
    assert check_decodes(path) == (320, 200)


async def test_each_result_is_made_once():
    """The same format and size give the same object again; the repr counts what is kept."""
    results = Results(5000)
    first = await results.get("jpeg", 64, 64)
    assert await results.get("jpeg", 64, 64) is first
    assert await results.get("jpeg", 64, 65) is not first
    assert repr(results) == "<Results: 2 kept, 10000 bytes>"
