"""The body of a submit: what a server's parser makes of it."""

import re
from collections.abc import AsyncIterator
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.job.parameters import FaceRecovery
from engine.remote.multipart import SMALL_BYTES, Upload


async def _bytes(body: bytes | AsyncIterator[bytes]) -> bytes:
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])


def _parsed(upload: Upload, body: bytes) -> dict[str, tuple[str | None, str, bytes]]:
    """Name -> (filename, content type, content), by the parser of the standard library."""
    head = f"Content-Type: {upload.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    assert message.is_multipart()
    assert not message.defects
    parts = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = re.split(rb"\r\n\r\n", _raw(upload, body, str(name)), maxsplit=1)[1]
        parts[str(name)] = (part.get_filename(), part.get_content_type(), content)
    return parts


def _raw(upload: Upload, body: bytes, name: str) -> bytes:
    """The part `name`, headers and content, byte for byte (the parser above decodes as if it were mail)."""
    edge = f"--{upload.boundary}".encode()
    pieces = body.split(edge)
    assert pieces[0] == b""
    assert pieces[-1] == b"--\r\n"
    (piece,) = [each for each in pieces[1:-1] if f'name="{name}"'.encode() in each.split(b"\r\n\r\n")[0]]
    return piece.removeprefix(b"\r\n").removesuffix(b"\r\n")


async def test_a_small_picture_is_joined_into_one_body(tmp_path: Path):
    """Fields and picture come back exactly, and Content-Length is the length."""
    content = bytes(range(256)) * 4 + b"\r\n--\r\n\r\n"
    fields = FaceRecovery(strength=0.5, grain=True, reference_uri="https://h/é ü?a=b&c").form()
    upload = Upload.of(fields, "run-000007.jpg", tmp_path / "unused", len(content), content)
    body = upload.body()
    assert isinstance(body, bytes)
    assert upload.headers["Content-Length"] == str(len(body))
    parts = _parsed(upload, body)
    assert {name: value.decode() for name, (_file, _type, value) in parts.items() if name != "image"} == fields
    assert parts["image"] == ("run-000007.jpg", "image/jpeg", content)


async def test_a_large_picture_is_streamed_from_disk(tmp_path: Path):
    """The same framing, in pieces, without the picture ever being in memory whole."""
    content = bytes(range(251)) * 15_000
    path = tmp_path / "large.tif"
    path.write_bytes(content)
    assert len(content) > 3 * SMALL_BYTES
    upload = Upload.of({"model": "Faces"}, "run-000008.tif", path, len(content), None)
    body = upload.body()
    assert not isinstance(body, bytes)
    pieces = [piece async for piece in body]
    assert max(map(len, pieces)) <= SMALL_BYTES
    assert upload.headers["Content-Length"] == str(sum(map(len, pieces)))
    parts = _parsed(upload, b"".join(pieces))
    assert parts["image"] == ("run-000008.tif", "image/tiff", content)
    assert parts["model"][2] == b"Faces"


async def test_an_upload_can_be_sent_again(tmp_path: Path):
    """After a refusal the same upload gives the same body once more, joined or streamed."""
    path = tmp_path / "a.png"
    path.write_bytes(b"pixels")
    for content in (b"pixels", None):
        upload = Upload.of({"a": "b"}, "x.png", path, 6, content)
        assert await _bytes(upload.body()) == await _bytes(upload.body())


@pytest.mark.parametrize(
    ("filename", "kind"),
    [("a.jpg", "image/jpeg"), ("a.jpeg", "image/jpeg"), ("a.png", "image/png"), ("a.tif", "image/tiff")],
)
def test_the_part_says_its_kind(tmp_path: Path, filename: str, kind: str):
    """The content type follows the extension, in its registered spelling."""
    upload = Upload.of({}, filename, tmp_path, 0, b"")
    body = upload.body()
    assert isinstance(body, bytes)
    assert _parsed(upload, body)["image"][1] == kind


def test_boundaries_differ(tmp_path: Path):
    """No two uploads share one, so no picture that is a recorded upload breaks another."""
    assert len({Upload.of({}, "a.png", tmp_path, 0, b"").boundary for _turn in range(50)}) == 50


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300),
    fields=st.dictionaries(
        st.from_regex(r"[a-z_]{1,20}", fullmatch=True), st.text(st.characters(codec="utf-8"), max_size=30), max_size=5
    ),
)
def test_any_content_and_any_field_come_back(tmp_path: Path, content: bytes, fields: dict[str, str]):
    """Whatever a picture or a field holds, line ends and dashes included, the parts are exactly these."""
    fields.pop("image", None)
    upload = Upload.of(fields, "x.png", tmp_path, len(content), content)
    body = upload.body()
    assert isinstance(body, bytes)
    assert upload.headers["Content-Length"] == str(len(body))
    for name, value in fields.items():
        assert _raw(upload, body, name).split(b"\r\n\r\n", 1)[1] == value.encode()
    assert _raw(upload, body, "image").split(b"\r\n\r\n", 1)[1] == content


async def test_a_form_without_a_file_is_whole():
    """A server's parser finds the fields and the end, and the length is what was said."""
    upload = Upload.of_fields({"model": "Faces", "source_id": "s-1"}, "run-000007.png")
    body = await _bytes(upload.body())
    assert len(body) == int(upload.headers["Content-Length"])
    parts = _parsed(upload, body)
    assert {name: part[2] for name, part in parts.items()} == {
        "model": b"Faces",
        "source_id": b"s-1",
        "filename": b"run-000007.png",
    }
    assert all(part[0] is None for part in parts.values())
    assert upload.filename == "run-000007.png"
