"""Where the picture of a submit comes from: an address that the service fetches, its own links, an earlier submit."""

import asyncio
import contextlib
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web

from engine.service.key_file import KeyFile, LimitEntries
from tests.service.harness import picture, running, until

HERE = (ip_network("127.0.0.0/8"),)


@contextlib.asynccontextmanager
async def _web(handler):
    """Serve every path by `handler` for as long as the block runs, and yield the base URL."""
    app = web.Application()
    app.router.add_get("/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _answering(body, **options):
    async def handler(_request):
        return web.Response(body=body, **options)

    return handler


def _stored(folder):
    return sorted(path.name for kind in ("inputs", "outputs") for path in (folder / kind).rglob("*") if path.is_file())


async def test_a_picture_is_fetched_from_its_address(tmp_path):
    """A source_url becomes an input like any upload: named by the URL, kept, restored."""
    async with _web(_answering(picture())) as base, running(tmp_path / "s", allowed_networks=HERE) as service:
        status, answer = await service.post(source_url=base + "/albums/aunt%20may.png?token=secret")
        assert status == 200, answer
        row = await service.reached(answer["process_id"], "Completed")
        assert (row["filename"], row["source_id"]) == ("aunt may.png", answer["source_id"])
        link = (await service.link(row["process_id"], "input/"))["download_url"]
        assert (await service.fetch(link)).body == picture()


async def test_a_filename_may_be_given_along(tmp_path):
    """The form field `filename` names the row of a picture that was not uploaded."""
    async with _web(_answering(picture())) as base, running(tmp_path / "s", allowed_networks=HERE) as service:
        _, answer = await service.post(source_url=base)
        assert (await service.row(answer["process_id"]))["filename"] == "image"
        form = {"model": "Faces", "source_url": base, "filename": "run-7.png"}
        status, answer = await service.call("POST", "/restore-gen/async", data=_multipart(form))
        assert status == 200, answer
        assert (await service.row(answer["process_id"]))["filename"] == "run-7.png"


def _multipart(fields):
    form = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        form.add_field(name, value)
    return form


@pytest.mark.parametrize(
    ("handler", "status", "words"),
    [
        (_answering(b"no picture"), 415, "image"),
        (_answering(b"", status=404), 400, "source_url: "),
        (_answering(b"", status=302, headers={"Location": "http://169.254.169.254/latest"}), 400, "source_url: "),
        (_answering(picture() + b"x" * 20_000), 413, "larger than 10000 bytes"),
    ],
)
async def test_what_can_not_be_fetched_is_refused_and_leaves_nothing(tmp_path, handler, status, words):
    """Each failure is one clear line; no file and no job stay."""
    settings = {"allowed_networks": HERE, "max_upload_bytes": 10_000}
    async with _web(handler) as base, running(tmp_path / "s", **settings) as service:
        got, answer = await service.post(source_url=base + "/a.png?token=secret")
        assert (got, words in answer["message"], "secret" in answer["message"]) == (status, True, False), answer
        assert (await service.call("GET", "/status"))[1] == []
    assert _stored(tmp_path / "s") == []


async def test_one_key_can_not_have_everything_fetched_at_once(tmp_path):
    """Four fetches wait for a slow host; the fifth is told to wait, and all four arrive in the end."""
    go = asyncio.Event()

    async def slow(_request):
        await go.wait()
        return web.Response(body=picture())

    async with _web(slow) as base, running(tmp_path / "s", allowed_networks=HERE) as service:
        fetches = [asyncio.create_task(service.post(source_url=base + "/a.png")) for _ in range(5)]
        done, waiting = await asyncio.wait(fetches, return_when=asyncio.FIRST_COMPLETED)
        assert [each.result()[0] for each in done] == [429]
        go.set()
        assert [(await each)[0] for each in waiting] == [200] * 4


async def test_an_address_inside_is_refused_unless_allowed(tmp_path):
    """Without a setting the service fetches nothing from its own machine or network."""
    async with _web(_answering(picture())) as base, running(tmp_path / "s") as service:
        status, answer = await service.post(source_url=base + "/a.png")
        assert (status, "source_url: " in answer["message"]) == (400, True)


async def test_an_own_link_needs_no_network(tmp_path):
    """The output of one job is the input of the next by its link, though the service may not call itself."""
    async with running(tmp_path / "s") as service:
        first = await service.submit()
        await service.reached(first, "Completed")
        link = (await service.link(first))["download_url"]
        made = (await service.fetch(link)).body
        status, answer = await service.post(source_url=link)
        assert status == 200, answer
        await service.reached(answer["process_id"], "Completed")
        assert (await service.call("DELETE", f"/status/{first}"))[0] == 204
        kept = (await service.link(answer["process_id"], "input/"))["download_url"]
        assert (await service.fetch(kept)).body == made


async def test_an_own_link_must_hold(tmp_path):
    """A link with another signature is an address like any other, and that is inside."""
    async with running(tmp_path / "s") as service:
        first = await service.submit()
        await service.reached(first, "Completed")
        link = (await service.link(first))["download_url"]
        status, _ = await service.post(source_url=link.replace("signature=", "signature=0"))
        assert status == 400


@pytest.mark.parametrize("fields", [{"output_width": "32000", "output_height": "32000"}, {"strength": "2"}])
async def test_a_refused_own_link_leaves_no_file(tmp_path, fields):
    """What was taken over for a submit that is refused is gone with it."""
    async with running(tmp_path / "s") as service:
        first = await service.submit()
        await service.reached(first, "Completed")
        link = (await service.link(first))["download_url"]
        assert (await service.post(source_url=link, **fields))[0] == 422
        await service.call("DELETE", f"/status/{first}")
    assert _stored(tmp_path / "s") == []


async def test_a_void_link_is_no_source_either(tmp_path):
    """The link of a suspended key gives its picture to nobody, by whatever way."""
    made, text = KeyFile(tmp_path / "s").add("a", 0.0, limits=LimitEntries())
    async with running(tmp_path / "s") as service:
        theirs = {"X-API-Key": text}
        _, answer = await service.post(picture(), headers=theirs)

        async def is_done():
            _, row = await service.call("GET", f"/status/{answer['process_id']}", headers=theirs)
            return row["status"] == "Completed"

        await until(is_done, "the job")
        _, links = await service.call("GET", f"/download/{answer['process_id']}", headers=theirs)
        assert (await service.post(source_url=links["download_url"]))[0] == 200
        KeyFile(tmp_path / "s").suspend(made.id)

        async def is_void():
            return (await service.fetch(links["download_url"])).status == 403

        await until(is_void, "the suspension")
        status, refusal = await service.post(source_url=links["download_url"])
        assert (status, "not valid" in refusal["message"]) == (400, True)


async def test_an_input_is_used_again_and_kept_for_as_long_as_it_is_used(tmp_path):
    """A source_id saves the upload; the file goes with the last job that uses it."""
    async with running(tmp_path / "s") as service:
        first = await service.submit()
        row = await service.reached(first, "Completed")
        status, answer = await service.post(source_id=row["source_id"], strength="0.5")
        assert (status, answer["source_id"]) == (200, row["source_id"])
        again = await service.reached(answer["process_id"], "Completed")
        assert (again["filename"], again["input_width"]) == (row["filename"], row["input_width"])
        await service.call("DELETE", f"/status/{first}")
        assert row["source_id"] in _stored(tmp_path / "s")
        await service.call("DELETE", f"/status/{answer['process_id']}")
        assert _stored(tmp_path / "s") == []
        assert (await service.post(source_id=row["source_id"]))[0] == 400


async def test_inputs_survive_a_restart_with_all_that_use_them(tmp_path):
    """After a restart an input still serves, and the sweep takes neither it nor what was made of it."""
    async with running(tmp_path / "s") as service:
        row = await service.reached(await service.submit(), "Completed")
    async with running(tmp_path / "s") as service:
        status, answer = await service.post(source_id=row["source_id"])
        assert status == 200, answer
        await service.reached(answer["process_id"], "Completed")


async def test_the_other_routes_say_what_is_served(tmp_path):
    """A route of the family that has no model here is 400, with the names of those that have."""
    async with running(tmp_path / "s") as service:
        for route in ("sharpen", "sharpen-gen", "denoise", "lighting", "matting", "tool", "enhance-gen"):
            status, answer = await service.call("POST", f"/{route}/async")
            assert (status, "Faces" in answer["message"], "Standard V2" in answer["message"]) == (400, True, True)


async def test_an_enhance_job_has_its_own_row(tmp_path):
    """The enhance route takes Standard V2 alone, and its row says what it is."""
    async with running(tmp_path / "s") as service:
        fields = {"model": "Standard V2", "output_width": "80", "output_height": "10", "crop_to_fill": "true"}
        form = _multipart(fields)
        form.add_field("image", picture(), filename="a.png")
        status, answer = await service.call("POST", "/enhance/async", data=form)
        assert status == 200, answer
        row = await service.row(answer["process_id"])
        shown = [row[name] for name in ("category", "model", "output_width", "output_height", "crop_to_fill")]
        assert shown == ["Enhance", "Standard V2", 80, 10, True]
        row = await service.reached(answer["process_id"], "Completed")
        assert "faces" not in row
        status, answer = await service.post(picture(), model="Standard V2")
        assert (status, "/restore-gen/async serves 'Faces'" in answer["message"]) == (400, True)
