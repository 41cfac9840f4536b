"""Text lists of paths and URLs, the URLs served by a web server of this machine."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.acceptance.conftest import Served
from tests.acceptance.program import content, finish, portrait, rows


def _picture() -> bytes:
    file = io.BytesIO()
    portrait(shift=3).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """A web site with a picture, a redirect to it, a page, and a redirect without end."""

    async def picture(_request: web.Request) -> web.Response:
        return web.Response(body=_picture(), content_type="image/jpeg")

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text="<html>log in first</html>", content_type="text/html")

    async def moved(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/pictures/a%20face.jpg")

    async def endless(_request: web.Request) -> web.Response:
        raise web.HTTPFound("/endless.jpg")

    app = web.Application()
    app.add_routes(
        [
            web.get("/pictures/a face.jpg", picture),
            web.get("/moved.jpg", moved),
            web.get("/page.jpg", page),
            web.get("/endless.jpg", endless),
        ]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_paths_and_urls(site: str, inputs: Path, tmp_path: Path, served: Served) -> None:
    """A list may be Windows text with comments, paths and URLs; what can't be had is explained, each by itself."""
    portrait(shift=5).save(tmp_path / "beside the list.jpg")
    lines = [
        "# what to restore",
        "",
        "beside the list.jpg",
        str(inputs / "face 00.jpg"),
        "gone.jpg",
        f"{site}/pictures/a%20face.jpg?size=full",
        f"{site}/moved.jpg",
        f"{site}/page.jpg",
        f"{site}/nowhere.jpg",
        f"{site}/endless.jpg",
        f"{site}/pictures/a%20face.jpg?size=full",
    ]
    (tmp_path / "list.txt").write_bytes("\r\n".join(lines).encode())
    out = tmp_path / "out"
    arguments = ("restore", tmp_path / "list.txt", "-o", out, "--json", *served.options)
    ended = await asyncio.to_thread(finish, *arguments, env=served.env)
    assert (ended.code, ended.summary["done"], ended.summary["failed"]) == (3, 4, 4)
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == [
        "a face.jpg",
        "beside the list.jpg",
        "face 00.jpg",
        "moved.jpg",
    ]
    reasons = {
        row["source"].rpartition("/")[2]: row["reason"] for row in rows(out / ".face-recovery") if "reason" in row
    }
    assert reasons == {
        "gone.jpg": "does not exist",
        "page.jpg": "is not an image; JPEG, PNG and TIFF are supported",
        "nowhere.jpg": "can't be fetched: the web server answered 404",
        "endless.jpg": "can't be fetched: more than 5 redirects",
    }
    assert content(out / ".face-recovery" / "fetched") == b""
