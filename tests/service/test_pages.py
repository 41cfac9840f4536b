"""What a person sees in a browser."""

import base64
import dataclasses
import hashlib
import html
import re
from html.parser import HTMLParser

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from engine.service.description.page import draw
from engine.service.openapi import describe, operations
from engine.service.pages import OPEN_PATHS, routes
from engine.service.settings import ServiceSettings

_VOID = {"meta", "link", "br", "hr", "img", "input"}


class Outline(HTMLParser):
    """The tags of a page, its ids and links, and whether every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.ids, self.targets, self.levels = [], set(), [], [], []
        self.attributes = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        self.targets += [value for name, value in attrs if name in ("href", "src", "aria-labelledby")]
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def settings(tmp_path):
    return ServiceSettings(folder=tmp_path, keys=frozenset({"a-key"}))


@pytest.fixture
async def client(settings):
    app = web.Application()
    app.add_routes(routes(settings))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
async def page(client):
    return await (await client.get("/docs")).text()


async def test_the_description_is_served(client):
    """/openapi.json is the description."""
    answer = await client.get("/openapi.json")
    assert answer.content_type == "application/json"
    assert await answer.json() == describe()


async def test_the_page_may_do_nothing_but_be_read(client):
    """The policy allows this page's one style sheet by its hash, and neither scripts nor any request."""
    answer = await client.get("/docs")
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))
    [style] = re.findall("<style>(.*?)</style>", await answer.text(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy["style-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert "script-src" not in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"


async def test_the_page_is_whole_by_itself(page):
    """No script, no inline style or handler, nothing to fetch, and every link leads to a place in it."""
    outline = Outline(page)
    assert not outline.open
    assert not outline.tags & {"script", "img", "iframe", "object", "form", "base"}
    assert not [name for name, _ in outline.attributes if name == "style" or name.startswith("on")]
    places = {f"#{name}" for name in outline.ids} | set(outline.ids) | {"openapi.json", "data:,"}
    assert set(outline.targets) <= places
    assert len(set(outline.ids)) == len(outline.ids)
    assert "url(" not in page
    assert "@import" not in page


async def test_the_page_reads_well_aloud(page):
    """A language, one h1, no level skipped, a way past the contents, a caption on every table."""
    outline = Outline(page)
    assert '<html lang="en">' in page
    assert outline.levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(outline.levels, outline.levels[1:], strict=False))
    assert '<a class="skip" href="#calls">' in page
    assert page.count("<table") == page.count("<caption>")
    assert {"nav", "main"} <= outline.tags


async def test_every_call_is_on_the_page_with_its_command(page):
    """Nobody has to put a request together from parts."""
    text = html.unescape(page)
    for _, path, call, _ in operations(describe()["paths"]):
        assert path in text
        [sample] = call["x-codeSamples"]
        assert sample["source"] in text


async def test_what_the_description_says_is_text(settings):
    """Nothing in an address can become markup."""

    page = draw(describe("https://x.example/<script>"))
    assert "<script" not in page


async def test_both_can_be_switched_off(settings):
    """A service may tell nothing about itself."""
    assert routes(dataclasses.replace(settings, has_pages=False)) == []
    assert {route.path for route in routes(settings)} == set(OPEN_PATHS)


async def test_both_are_open(service):
    """A browser has no key: both pages and their heads need none."""
    for path in OPEN_PATHS:
        for method in ("GET", "HEAD"):
            assert (await service.fetch(service.base + path, method=method)).status == 200
