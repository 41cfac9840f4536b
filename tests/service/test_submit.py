"""What a POST is answered: what is accepted, and every documented refusal."""

import aiohttp
import pytest

from tests.service.harness import BASE, KEY, picture, running


async def test_an_accepted_picture_is_answered_in_body_and_headers(service):
    """The answer names process id, source id and eta, and the headers repeat them."""
    form = aiohttp.FormData({"model": "Faces"})
    form.add_field("image", picture(), filename="a.png")
    async with service.session.post(service.base + BASE + "/restore-gen/async", data=form) as response:
        answer = await response.json()
    assert response.status == 200
    assert response.headers["X-Process-ID"] == answer["process_id"]
    assert response.headers["X-Source-ID"] == answer["source_id"]
    assert float(response.headers["X-ETA"]) == answer["eta"]
    assert answer["process_id"] != answer["source_id"]


async def test_the_row_is_filled_from_the_header_before_decoding(service, tmp_path):
    """While the job waits, its row already says every member of the contract."""
    gate = tmp_path / "gate"
    process_id = await service.submit(f"wait {gate}", output_width="80", strength="0.5")
    row = await service.row(process_id)
    expected = {
        "process_id": process_id,
        "filename": "a.png",
        "input_format": "png",
        "input_height": 30,
        "input_width": 40,
        "output_format": "jpeg",
        "output_height": 60,
        "output_width": 80,
        "category": "Restore",
        "model_type": "GAN",
        "model": "Faces",
        "crop_to_fill": False,
        "options_json": '{"output_width":80,"strength":0.5}',
        "credits": 0,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["status"] in ("Pending", "Processing")
    assert row["eta"] >= row["creation_time"]
    gate.touch()


@pytest.mark.parametrize(
    "filename", ["../../etc/passwd", "/abs.png", "C:\\x.png", "a;b;c.png", "übel.png", "run-7.png", "a%20b.png"]
)
async def test_the_filename_is_kept_verbatim_and_is_never_a_path(service, tmp_path, filename):
    """Whatever the part was called stands in the row, and no file of that name is made."""
    status, answer = await service.post(picture(), filename=filename)
    assert status == 200, answer
    assert (await service.row(answer["process_id"]))["filename"] == filename
    names = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert not any(filename.endswith(name) for name in names)


@pytest.mark.parametrize(
    ("data", "fields", "status", "words"),
    [
        (None, {}, 400, "one of image, source_url, source_id"),
        (None, {"source_url": "http://127.0.0.1/a.png"}, 400, "source_url: "),
        (None, {"source_url": ""}, 400, "source_url: "),
        (None, {"source_id": "s"}, 400, "source_id: no input has this id"),
        (None, {"source_id": "s", "source_url": "http://x/a.png"}, 400, "exactly one of"),
        (picture(), {"webhook_url": "http://10.0.0.1/hook"}, 400, "webhook_url: "),
        (picture(), {"source_id": "s"}, 400, "exactly one of"),
        (picture(), {"model": "Dust-Scratch"}, 400, "serves 'Faces'"),
        (picture(), {"strength": "1.5"}, 422, "strength: 1.5 is not a number from 0.0 to 1.0"),
        (picture(), {"output_format": "webp"}, 422, "output_format"),
        (picture(), {"output_width": "32001"}, 422, "32000"),
        (picture(), {"output_width": "30000"}, 422, "more than 100 megapixels"),
        (picture(size=(200, 1)), {"output_height": "200"}, 422, "40000x200 has a side of more than 32000 pixels"),
        (picture(), {"iai_packed_metadata": "[1,2,3]"}, 422, "five numbers a face"),
        (picture(), {"strength": "9" * 60_000}, 422, "strength"),
        (picture(), {"model": "Faces", "x": "y" * 70_000}, 413, "x: longer than 65536 bytes"),
        (picture(format="GIF"), {}, 415, "is GIF; JPEG, PNG and TIFF are supported"),
        (picture(format="WEBP"), {}, 415, "is WEBP"),
        (picture(format="BMP"), {}, 415, "is BMP"),
        (b"<svg xmlns='x'/>", {}, 415, "not an image"),
        (b"", {}, 415, "not an image"),
        (b"hello", {}, 415, "not an image"),
        (picture()[:12], {}, 400, "damaged PNG header"),
        (b"\xff\xd8\xff\xe0", {}, 400, "damaged JPEG header"),
    ],
)
async def test_a_bad_request_is_refused_with_a_reason_and_leaves_nothing(
    service, tmp_path, data, fields, status, words
):
    """Each documented refusal has its status and one line that names what is wrong; no file stays."""
    answered, answer = await service.post(data, **fields)
    assert (answered, answer["code"]) == (status, status), answer
    assert words in answer["message"]
    assert len(answer["message"]) < 600
    assert not [path for path in (tmp_path / "service" / "inputs").rglob("*") if path.is_file()]
    assert await service.call("GET", "/status") == (200, [])


def _huge_png(width: int, height: int) -> bytes:
    data = bytearray(picture())
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(("width", "height"), [(32_001, 10), (20_000, 20_000), (2**31, 2**31)])
async def test_a_small_file_that_claims_to_be_huge_is_refused_before_decoding(service, width, height):
    """The caps are checked against the header: 32,000 pixels a side and 100 megapixels."""
    status, answer = await service.post(_huge_png(width, height))
    assert status == 413
    assert "the limit is" in answer["message"]


async def test_unknown_settings_are_ignored(service):
    """A setting that the model does not have changes nothing, as with the vendor."""
    process_id = await service.submit(no_such_setting="1")
    assert (await service.row(process_id))["options_json"] == "{}"


async def test_what_is_accepted_but_not_used_is_said(service):
    """A reference picture and a wrong input size end up as warnings of the row."""
    process_id = await service.submit(reference_uri="https://x/y", input_width="7")
    warnings = (await service.reached(process_id, "Completed"))["warnings"]
    assert [text.split(":")[0] for text in warnings] == ["reference_uri", "input size", "scripted"]


async def test_another_content_type_is_415(service):
    """Only multipart/form-data can carry a picture."""
    status, answer = await service.call("POST", "/restore-gen/async", json={"model": "Faces"})
    assert (status, answer["code"]) == (415, 415)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nFaces', "ends before its closing boundary"),
        (b"--b\r\nX: y\r\n\r\nFaces\r\n--b--", "no Content-Disposition"),
        (b"--b\r\nContent-Disposition: form-data; name\r\n\r\nFaces\r\n--b--", "broken Content-Disposition"),
        (b'--b\r\nContent-Disposition: attachment; name="a"\r\n\r\n\r\n--b--', "form-data"),
        (b"--bad\r\n\r\n", "something else than a line end"),
        (b"--b\r\nX: " + b"y" * 20_000, "header is longer"),
    ],
)
async def test_a_malformed_form_is_400(service, body, words):
    """A body that is no form is refused with what is wrong about it."""
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    status, answer = await service.call("POST", "/restore-gen/async", data=body, headers=headers)
    assert status == 400
    assert words in answer["message"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("path", ["/restore-gen/async", "/estimate"])
async def test_a_packed_body_is_415(service, tmp_path, path, encoding):
    """No body is unpacked, whether it could be or not; no file stays."""
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Encoding": encoding}
    status, answer = await service.call("POST", path, data=b"this is not packed", headers=headers)
    assert (status, answer["code"]) == (415, 415)
    assert not [found for found in (tmp_path / "service" / "inputs").rglob("*") if found.is_file()]


async def test_too_many_fields_are_400(service):
    """A form has at most 50 fields."""
    status, answer = await service.post(picture(), **{f"x{number}": "1" for number in range(60)})
    assert (status, answer["message"]) == (400, "more than 50 form fields")


async def test_a_repeated_field_is_400(service):
    """Two values for one setting are refused, not guessed between."""
    form = aiohttp.FormData([("model", "Faces"), ("model", "Faces")])
    form.add_field("image", picture(), filename="a.png")
    status, answer = await service.call("POST", "/restore-gen/async", data=form)
    assert (status, answer["message"]) == (400, "model: given twice")


@pytest.mark.parametrize("is_announced", [True, False])
async def test_an_oversize_upload_is_413(tmp_path, is_announced):
    """The cap holds for a length that was announced and for a stream that never says how long it is."""
    async with running(tmp_path / "service", max_upload_bytes=100_000) as service:
        head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
        body = head + picture() + bytes(150_000) + b"\r\n--b--\r\n"

        async def stream():
            for at in range(0, len(body), 10_000):
                yield body[at : at + 10_000]

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        data = body if is_announced else stream()
        status, answer = await service.call("POST", "/restore-gen/async", data=data, headers=headers)
        assert (status, answer["code"]) == (413, 413)
        assert not [path for path in (tmp_path / "service" / "inputs").rglob("*") if path.is_file()]


async def test_a_large_upload_arrives_whole(service):
    """A picture of several megabytes, cut at odd places by the network, is stored byte for byte."""
    data = picture() + bytes(range(256)) * 20_000 + b"\r\n--" + bytes(1_000_000)
    status, answer = await service.post(data)
    assert status == 200
    link = await service.link(answer["process_id"], "input/")
    assert (await service.fetch(link["download_url"])).body == data


async def test_402_when_the_credits_do_not_suffice(tmp_path):
    """Reserved and charged credits both count against what was granted; a failed job gives its share back."""
    async with running(tmp_path / "service", credits=2) as service:
        status, answer = await service.post(picture(), output_width="9000")
        assert (status, answer["message"]) == (402, "the job costs 3 credits and 2 are available")
        failed = await service.submit("fail")
        await service.reached(failed, "Failed")
        gate = tmp_path / "gate"
        first, second = await service.submit(), await service.submit(f"wait {gate}")
        await service.reached(first, "Completed")
        assert await service.call("GET", "//account/v1/credits/balance") == (
            200,
            {"available_credits": 0, "reserved_credits": 1, "total_credits": 1},
        )
        status, answer = await service.post(picture())
        assert (status, answer["message"]) == (402, "no credits are available")
        gate.touch()
        await service.reached(second, "Completed")
        assert (await service.row(second))["credits"] == 1


@pytest.mark.parametrize("key", [None, "", "wrong", KEY + "x", "schlüssel"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/restore-gen/async"),
        ("GET", "/status"),
        ("GET", "/status/x"),
        ("GET", "/download/x"),
        ("DELETE", "/cancel/x"),
        ("DELETE", "/status"),
        ("GET", "//account/v1/credits/balance"),
        ("GET", "/no-such-endpoint"),
    ],
)
async def test_401_without_the_right_key(service, method, path, key):
    """No endpoint of the API answers a stranger, not even to say that it does not exist."""
    headers = {} if key is None else {"X-API-Key": key}
    url = service.base + (path[1:] if path.startswith("//") else BASE + path)
    async with aiohttp.ClientSession() as stranger, stranger.request(method, url, headers=headers) as response:
        assert response.status == 401
        assert (await response.json())["code"] == 401


async def test_all_fields_together_have_a_size(service):
    """Fields that are short enough each are refused where they are too many bytes together, names included."""
    fields = {f"field{n}": "x" * 60_000 for n in range(5)}
    status, answer = await service.post(picture(), **fields)
    assert (status, answer["message"]) == (413, "the fields of the form are longer than 262144 bytes together")
    names = {f"{n}" + "n" * 15_000: "" for n in range(18)}
    assert (await service.post(picture(), **names))[0] == 413
    assert await service.call("GET", "/status") == (200, [])


async def test_a_long_webhook_address_is_400(service):
    """It would be kept with the job."""
    url = "https://hooks.example.com/" + "x" * 3000
    status, answer = await service.post(picture(), webhook_url=url)
    assert status == 400
    assert answer["message"].startswith("webhook_url: ")
