"""Presigned links: whole files, ranges, HEAD, entity tags, and links that do not hold."""

import asyncio
import stat
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from engine.service.presign import Presigner
from tests.service.harness import BASE, KEY, ShiftedClock, running


@pytest.fixture
async def made(service):
    """Return (service, links, the output's bytes, its entity tag) of a finished job."""
    row = await service.reached(await service.submit("padding" * 50), "Completed")
    links = await service.link(row["process_id"])
    whole = await service.fetch(links["download_url"])
    assert (whole.status, len(whole.body)) == (200, row["output_bytes"])
    return service, links, whole.body, whole.headers["ETag"]


async def test_a_link_is_absolute_and_needs_no_key(made):
    """Whoever holds the link gets the file, as an attachment of the right type, until the expiry it names."""
    service, links, body, _ = made
    assert links["download_url"].startswith(service.base + "/files/")
    got = await service.fetch(links["download_url"])
    assert (got.headers["Content-Type"], got.headers["Accept-Ranges"]) == ("image/jpeg", "bytes")
    assert got.headers["Content-Disposition"].startswith("attachment; filename=")
    assert (got.body, int(got.headers["Content-Length"])) == (body, len(body))


@pytest.mark.parametrize("kind", ["download_url", "head_url"])
async def test_head_tells_size_and_tag_without_a_body(made, kind):
    """HEAD on either link answers length and entity tag of the file."""
    service, links, body, tag = made
    got = await service.fetch(links[kind], method="HEAD")
    assert (got.status, got.body) == (200, b"")
    assert (int(got.headers["Content-Length"]), got.headers["ETag"]) == (len(body), tag)


@pytest.mark.parametrize(("wanted", "first", "last"), [("0-0", 0, 0), ("10-19", 10, 19), ("100-", 100, None)])
async def test_a_range_is_206(made, wanted, first, last):
    """A byte range is answered with exactly these bytes and where they belong."""
    service, links, body, _ = made
    got = await service.fetch(links["download_url"], Range=f"bytes={wanted}")
    end = len(body) - 1 if last is None else last
    assert (got.status, got.body) == (206, body[first : end + 1])
    assert got.headers["Content-Range"] == f"bytes {first}-{end}/{len(body)}"


async def test_a_range_behind_the_end_is_416(made):
    """A range that starts behind the file is refused with the file's length."""
    service, links, body, _ = made
    got = await service.fetch(links["download_url"], Range=f"bytes={len(body)}-")
    assert (got.status, got.headers["Content-Range"]) == (416, f"bytes */{len(body)}")


async def test_if_range_continues_only_the_same_file(made):
    """With the current entity tag a range is continued; with any other the whole file is sent again."""
    service, links, body, tag = made
    same = await service.fetch(links["download_url"], Range="bytes=7-", If_Range=tag)
    assert (same.status, same.body) == (206, body[7:])
    for other in ('"another"', "W/" + tag, '"'):
        whole = await service.fetch(links["download_url"], Range="bytes=7-", If_Range=other)
        assert (whole.status, whole.body) == (200, body), other


@pytest.mark.parametrize(
    "other", ["nonsense", "", "Mon, 01 Jan 99999999999 00:00:00 GMT", "Mon, 99 Jan 2024 00:00:00 GMT", "caf\u00e9"]
)
async def test_if_range_that_is_neither_tag_nor_date_sends_the_whole_file(made, other):
    """What can't be compared with the file never continues a download, and breaks nothing."""
    service, links, body, _ = made
    whole = await service.fetch(links["download_url"], Range="bytes=7-", If_Range=other)
    assert (whole.status, whole.body) == (200, body)


async def test_if_range_with_the_files_date_continues(made):
    """A date is compared with the file's own."""
    service, links, body, _ = made
    date = (await service.fetch(links["download_url"])).headers["Last-Modified"]
    part = await service.fetch(links["download_url"], Range="bytes=7-", If_Range=date)
    assert (part.status, part.body) == (206, body[7:])
    past = await service.fetch(links["download_url"], Range="bytes=7-", If_Range="Mon, 01 Jan 2001 00:00:00 GMT")
    assert (past.status, past.body) == (200, body)


@pytest.mark.parametrize("name", ["If_Modified_Since", "If_Unmodified_Since"])
async def test_a_condition_with_an_absurd_date_is_ignored(made, name):
    """A year that no calendar has is no date, and no reason to break the connection."""
    service, links, body, _ = made
    whole = await service.fetch(links["download_url"], **{name: "Mon, 01 Jan 99999999999 00:00:00 GMT"})
    assert (whole.status, whole.body) == (200, body)


async def _raw(service, request):
    """Send the bytes of one request that a well-bred client would not; return status and body."""
    address = service.base.removeprefix("http://")
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


@pytest.mark.parametrize("host", [b"", b"caf\xc3\xa9", b"\xff\xfe", b"a b", b"x/y?", b"[::1", b"a@b", b"h:123456"])
async def test_a_host_that_is_none_is_replaced_by_the_services_own(made, host):
    """A link is always one that works, whatever the client calls the service."""
    service, links, body, _ = made
    process_id = links["download_url"].partition("?")[0].rpartition("/")[2]
    request = b"GET %b/download/%b HTTP/1.1\r\nHost: %b\r\nX-API-Key: %b\r\nConnection: close\r\n\r\n"
    status, answer = await _raw(service, request % (BASE.encode(), process_id.encode(), host, KEY.encode()))
    assert status == 200, answer
    link = orjson.loads(answer)["download_url"]
    assert link.startswith(service.base + "/files/")
    assert (await service.fetch(link)).body == body


async def test_a_sane_host_is_kept(made):
    """Behind a proxy the service has the name that the client used."""
    service, links, _, _ = made
    process_id = links["download_url"].partition("?")[0].rpartition("/")[2]
    for host in ("example.org", "example.org:8443", "[::1]:80", "my_host"):
        answer = await service.call("GET", f"/download/{process_id}", headers={"Host": host})
        assert answer[1]["download_url"].startswith(f"http://{host}/files/")


async def test_if_none_match_is_304(made):
    """A client that has the file already is told so."""
    service, links, _, tag = made
    assert (await service.fetch(links["download_url"], If_None_Match=tag)).status == 304


async def test_a_head_link_can_not_download(made):
    """The link for HEAD does not open the file to GET."""
    service, links, _, _ = made
    assert (await service.fetch(links["head_url"])).status == 403


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("/outputs/", "/inputs/"),
        ("expires=", "expires=9"),
        ("expires=", "expires=-"),
        ("signature=", "signature=0"),
        ("signature=", "signature=%FF"),
        ("?", "?x=1#"),
    ],
)
async def test_a_changed_link_is_403(made, old, new):
    """A link holds for its own path, expiry and signature only; the refusal is JSON."""
    service, links, _, _ = made
    got = await service.fetch(links["download_url"].replace(old, new))
    assert got.status == 403
    assert b'"code":403' in got.body


async def test_a_link_expires_and_a_new_one_can_be_had(tmp_path):
    """After its lifetime a link is 403, and /download gives one that works."""
    clock = ShiftedClock()
    async with running(tmp_path / "service", clock=clock) as service:
        process_id = await service.submit()
        await service.reached(process_id, "Completed")
        old = await service.link(process_id)
        assert old["expiry"] == pytest.approx(clock.now() + 3600, abs=5)
        clock.ahead_s = 3601.0
        assert (await service.fetch(old["download_url"])).status == 403
        new = await service.link(process_id)
        assert (await service.fetch(new["download_url"])).status == 200


async def _finished(service):
    """Return the id of a job that has been done, and a link to its output."""
    process_id = await service.submit()
    await service.reached(process_id, "Completed")
    return process_id, (await service.link(process_id))["download_url"]


async def test_a_link_outlives_the_service_that_made_it(tmp_path):
    """After a restart a link still holds: its secret is kept, readable by the owner only."""
    folder = tmp_path / "service"
    async with running(folder) as service:
        _, link = await _finished(service)
        base = service.base
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    async with running(folder) as service:
        assert (await service.fetch(link.replace(base, service.base))).status == 200


async def test_a_lost_secret_makes_every_link_void(tmp_path):
    """Whoever deletes the secret ends all links that are about."""
    folder = tmp_path / "service"
    async with running(folder) as service:
        process_id, link = await _finished(service)
        base = service.base
    (folder / "secret").unlink()
    async with running(folder) as service:
        assert (await service.fetch(link.replace(base, service.base))).status == 403
        assert (await service.fetch((await service.link(process_id))["download_url"])).status == 200


async def test_a_link_dies_with_the_key_that_it_was_made_for(tmp_path):
    """Whoever starts the service with another key has no links about that were made for the old one."""
    folder = tmp_path / "service"
    async with running(folder) as service:
        _, link = await _finished(service)
        base = service.base
    async with running(folder, keys=frozenset({"another key"})) as service:
        assert (await service.fetch(link.replace(base, service.base))).status == 403


def test_a_signature_is_bound_to_method_path_time_and_key():
    """The same path signed for another method, path or key, or too long ago, proves nothing."""
    links = Presigner(10.0, b"secret")
    url, expires = links.sign("GET", "/files/a", "studio", 100.0)
    good = dict(parse_qsl(urlsplit(url).query))
    assert (expires, good["key"]) == (110, "studio")
    assert links.mark_in("GET", "/files/a", good, 109.9) == "studio"
    assert links.mark_in("HEAD", "/files/a", good, 109.9) == "studio"
    for method, path, changed, now in [
        ("DELETE", "/files/a", {}, 100.0),
        ("GET", "/files/b", {}, 100.0),
        ("GET", "/files/a", {"key": "other"}, 100.0),
        ("GET", "/files/a", {"key": ""}, 100.0),
        ("GET", "/files/a", {"expires": "111"}, 100.0),
        ("GET", "/files/a", {}, 110.0),
        ("GET", "/files/a", {"expires": ""}, 100.0),
        ("GET", "/files/a", {"expires": "9" * 5000}, 100.0),
        ("GET", "/files/a", {"expires": "\u0661\u0661\u0660"}, 100.0),
        ("GET", "/files/a", {"signature": ""}, 100.0),
    ]:
        assert links.mark_in(method, path, good | changed, now) is None
    assert Presigner(10.0, b"other").mark_in("GET", "/files/a", good, 100.0) is None
    assert links.mark_in("GET", "/files/a", {}, 100.0) is None
