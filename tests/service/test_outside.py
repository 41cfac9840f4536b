"""No client reaches through the service what only the service can reach. Over real servers and a scripted resolver."""

import asyncio
import contextlib
import gzip
import socket
from ipaddress import ip_network

import pytest
from aiohttp import web

from engine.service.outside import Outside, OutsideError

LOCAL = (ip_network("127.0.0.0/8"),)


class ScriptedResolver:
    """Answers each name by a script, its last answer for ever; knows no other names."""

    def __init__(self, **script):
        self.script = {name.replace("_", "."): list(answers) for name, answers in script.items()}
        self.asked = []

    async def resolve(self, host):
        self.asked.append(host)
        answers = self.script.get(host.rstrip("."))
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers.pop(0) if len(answers) > 1 else answers[0]


class Site:
    """A server on 127.0.0.1 that remembers what it was asked."""

    def __init__(self):
        self.requests = []
        self.port = 0
        self.answers = {}

    async def handle(self, request):
        self.requests.append((request.method, request.path_qs, dict(request.headers), await request.read()))
        return await self.answers[request.path](request)

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.port}{path}"

    def redirect(self, path, location, status=302):
        async def answer(request):
            return web.Response(status=status, headers={"Location": location, "Set-Cookie": "a=b"})

        self.answers[path] = answer

    def serve(self, path, body=b"", status=200, **headers):
        async def answer(request):
            return web.Response(body=body, status=status, headers=headers)

        self.answers[path] = answer


@pytest.fixture
async def site():
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    site.port = runner.addresses[0][1]
    site.serve("/file", b"picture")
    yield site
    await runner.cleanup()


async def _fetch(outside, url):
    async with outside.get(url) as fetched:
        return b"".join([chunk async for chunk in fetched.chunks()])


# PORT stands for the port of a server on 127.0.0.1 that would answer all of them.
HOSTILE = [
    "http://127.0.0.1:PORT/file",
    "http://127.0.0.1.:PORT/file",
    "http://127.0.0.2:PORT/file",
    "http://127.1:PORT/file",
    "http://127.0.1:PORT/file",
    "http://0:PORT/file",
    "http://0.0.0.0:PORT/file",
    "http://2130706433:PORT/file",
    "http://017700000001:PORT/file",
    "http://0x7f000001:PORT/file",
    "http://0x7f.1:PORT/file",
    "http://0x7F.0.0.0x1:PORT/file",
    "http://0177.0.0.1:PORT/file",
    "http://127.0.0.01:PORT/file",
    "http://127.0.0.0x1:PORT/file",
    "http://425.510.425.510:PORT/file",
    "http://127。0。0。1:PORT/file",
    "http://\uff11\uff12\uff17.0.0.1:PORT/file",
    "http://①②⑦.⓪.⓪.①:PORT/file",
    "http://127%2e0%2e0%2e1:PORT/file",
    "http://%31%32%37.0.0.1:PORT/file",
    "http://localhost:PORT/file",
    "http://LOCALHOST.:PORT/file",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/file",
    "http://[::1]:PORT/file",
    "http://[::]:PORT/file",
    "http://[0:0:0:0:0:0:0:1]:PORT/file",
    "http://[::127.0.0.1]:PORT/file",
    "http://[::ffff:127.0.0.1]:PORT/file",
    "http://[::ffff:7f00:1]:PORT/file",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/file",
    "http://[::ffff:0:7f00:1]:PORT/file",
    "http://[64:ff9b::7f00:1]:PORT/file",
    "http://[2002:7f00:1::]:PORT/file",
    "http://[2001:0:7f00:1::]:PORT/file",
    "http://[fe80::1%25lo]:PORT/file",
    "http://[fe80::1%lo]:PORT/file",
    "http://[v1.127.0.0.1]:PORT/file",
    "http://[127.0.0.1]:PORT/file",
    "http://[::1:PORT/file",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[::ffff:a9fe:a9fe]/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://192.0.0.192/opc/v2/",
    "http://metadata.example/computeMetadata/v1/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.0.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
    "http://[fc00::1]/",
    "http://loop.example:PORT/file",
    "http://loop6.example:PORT/file",
    "http://mapped.example:PORT/file",
    "http://mixed.example:PORT/file",
    "http://mixed6.example:PORT/file",
    "http://zone.example:PORT/file",
    "http://nonsense.example:PORT/file",
    "http://empty.example:PORT/file",
    "http://unknown.example:PORT/file",
    "http://public.example@127.0.0.1:PORT/file",
    "http://127.0.0.1:PORT@public.example/file",
    "http://user:secret@public.example/file",
    "http://@127.0.0.1:PORT/file",
    "http://public.example\\@127.0.0.1:PORT/file",
    "http://127.0.0.1:PORT\\@public.example/file",
    "http://public.example#@127.0.0.1:PORT/file\n",
    "http://127.0.0.1:PORT /file",
    "http://127.0.0.1\t:PORT/file",
    "http://127.0.0.1:PORT/file\r\nX-Injected: yes",
    " http://127.0.0.1:PORT/file",
    "http://public..example/",
    "http://-public.example/",
    "http://" + "a" * 64 + ".example/",
    "http://" + "a." * 130 + "example/",
    "http://127.0.0.1:0/file",
    "http://127.0.0.1:65536/file",
    "http://127.0.0.1:-1/file",
    "http://127.0.0.1:+PORT/file",
    "http://127.0.0.1:\uff18\uff10/file",
    "http://127.0.0.1:port/file",
    "http:///file",
    "http:/127.0.0.1:PORT/file",
    "http:127.0.0.1:PORT/file",
    "//127.0.0.1:PORT/file",
    "127.0.0.1:PORT/file",
    "/etc/passwd",
    "",
    "file:///etc/passwd",
    "ftp://127.0.0.1/file",
    "gopher://127.0.0.1:PORT/_GET",
    "ws://127.0.0.1:PORT/file",
    "unix:///run/docker.sock",
    "data:text/plain,hello",
    "jar:http://127.0.0.1:PORT/file!/",
    "http://public.example/" + "a" * 9000,
    "http://\ud800.example/",
]


def _scripted():
    return ScriptedResolver(
        localhost=[["127.0.0.1"]],
        loop_example=[["127.0.0.1"]],
        loop6_example=[["::1"]],
        mapped_example=[["::ffff:127.0.0.1"]],
        mixed_example=[["8.8.8.8", "127.0.0.1"]],
        mixed6_example=[["2606:4700::1", "::1"]],
        zone_example=[["fe80::1%lo"]],
        metadata_example=[["169.254.169.254"]],
        nonsense_example=[["not an address"]],
        empty_example=[[]],
    )


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_url_is_refused_unconnected(site, url):
    """Neither checked, fetched nor posted to: each time one clear line, and the server on loopback hears nothing."""
    url = url.replace("PORT", str(site.port))
    async with Outside((), time_limit_s=30, resolver=_scripted()) as outside:
        for refused in (outside.check(url), _fetch(outside, url), outside.post(url, b"{}", {})):
            with pytest.raises(OutsideError) as caught:
                await refused
            said = str(caught.value)
            assert said.isprintable()
            assert not {"secret", "127.0.0.1:" + str(site.port) + "/f", "169.254.169.254/l"} & set(said.split())
    assert site.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]:PORT/file",
        "//192.168.0.1/",
        "http://inside.example:PORT/file",
        "http://mixed.example:PORT/file",
        "http://2130706433:PORT/file",
        "http://a@127.0.0.1:PORT/file",
        "http://127.0.0.1:PORT\\file",
        "file:///etc/passwd",
        "gopher://127.0.0.1:PORT/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_url(site, status, location):
    """An allowed server can't send the service where it must not go."""
    site.redirect("/start", location.replace("PORT", str(site.port)), status)
    resolver = ScriptedResolver(inside_example=[["10.0.0.1"]], mixed_example=[["127.0.0.1", "10.0.0.1"]])
    async with Outside(LOCAL, time_limit_s=30, resolver=resolver) as outside:
        with pytest.raises(OutsideError):
            await _fetch(outside, site.url("/start"))
    assert [path for _, path, _, _ in site.requests] == ["/start"]


async def test_a_name_is_resolved_once_for_an_exchange(site):
    """A name that would answer differently a moment later is connected to as it was checked, and checked anew next."""
    resolver = ScriptedResolver(rebinding_example=[["127.0.0.1"], ["10.0.0.1"]])
    async with Outside(LOCAL, time_limit_s=30, resolver=resolver) as outside:
        assert await _fetch(outside, site.url("/file", "rebinding.example")) == b"picture"
        assert resolver.asked == ["rebinding.example"]
        with pytest.raises(OutsideError, match="no such host, or not one"):
            await _fetch(outside, site.url("/file", "rebinding.example"))
    assert len(site.requests) == 1


async def test_a_redirect_to_the_same_name_resolves_it_anew(site):
    """A name that turns private between two hops is refused at the second."""
    site.redirect("/start", "/file")
    resolver = ScriptedResolver(rebinding_example=[["127.0.0.1"], ["10.0.0.1"]])
    async with Outside(LOCAL, time_limit_s=30, resolver=resolver) as outside:
        with pytest.raises(OutsideError):
            await _fetch(outside, site.url("/start", "rebinding.example"))
    assert resolver.asked == ["rebinding.example"] * 2
    assert len(site.requests) == 1


async def test_unknown_and_private_names_are_told_alike():
    """A client can't learn which names the inside knows; only the service's own retries tell them apart."""
    async with Outside((), time_limit_s=30, resolver=_scripted()) as outside:
        said = {}
        for host in ("unknown", "loop", "mixed", "metadata"):
            with pytest.raises(OutsideError) as caught:
                await outside.check(f"http://{host}.example/x")
            said[host] = str(caught.value).replace(host, "HOST"), caught.value.retry_helps
    assert len({text for text, _ in said.values()}) == 1
    assert {host: retry for host, (_, retry) in said.items()} == {
        "unknown": True,
        "loop": False,
        "mixed": False,
        "metadata": False,
    }


async def test_an_allowed_file_is_fetched(site):
    """Through redirects, by name and by address: its bytes, announced length and final URL."""
    site.redirect("/start?x", "/file")
    site.redirect("/first", site.url("/second", "local.example"))
    site.redirect("/second", "file?sig=a%2Bb")
    resolver = ScriptedResolver(local_example=[["127.0.0.1"]])
    async with (
        Outside(LOCAL, time_limit_s=30, resolver=resolver) as outside,
        outside.get(site.url("/first?token=x")) as fetched,
    ):
        assert b"".join([chunk async for chunk in fetched.chunks()]) == b"picture"
        assert fetched.content_length == 7
        assert fetched.url == site.url("/file?sig=a%2Bb", "local.example")
        assert "sig" not in repr(fetched)
    assert [path for _, path, _, _ in site.requests] == ["/first?token=x", "/second", "/file?sig=a%2Bb"]


async def test_the_systems_resolver_is_the_default(site):
    """Without a script this machine's names count: localhost is refused, or allowed with its networks."""
    async with Outside((), time_limit_s=30) as outside:
        with pytest.raises(OutsideError):
            await outside.check(site.url("/file", "localhost"))
    async with Outside((*LOCAL, ip_network("::1/128")), time_limit_s=30) as outside:
        await outside.check(site.url("/file", "localhost"))
        assert await _fetch(outside, site.url("/file", "localhost")) == b"picture"
    assert repr(outside) == "<Outside: 2 private networks allowed, 30 s an exchange>"


async def test_nothing_of_ours_goes_along(site, monkeypatch, tmp_path):
    """No cookie, no .netrc, no proxy of the environment, no compression, no key."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login us password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.redirect("/start", "/file")
    async with Outside(LOCAL, time_limit_s=30) as outside:
        assert await _fetch(outside, site.url("/start")) == b"picture"
    for _, _, headers, _ in site.requests:
        assert set(headers) == {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}
        assert headers["Accept-Encoding"] == "identity"


async def test_redirects_end(site):
    """Five are followed, the sixth is not."""
    for number in range(6):
        site.redirect(f"/{number}", f"/{number + 1}")
    site.serve("/6", b"far")
    async with Outside(LOCAL, time_limit_s=30) as outside:
        assert await _fetch(outside, site.url("/1")) == b"far"
        with pytest.raises(OutsideError, match="more than 5 redirects"):
            await _fetch(outside, site.url("/0"))


@pytest.mark.parametrize(
    ("status", "retry_helps"), [(204, False), (206, False), (404, False), (429, True), (503, True)]
)
async def test_only_200_brings_a_file(site, status, retry_helps):
    """Anything else is an error, which does not say what a private address answered."""
    site.serve("/other", status=status)
    async with Outside(LOCAL, time_limit_s=30) as outside:
        with pytest.raises(OutsideError) as caught:
            await _fetch(outside, site.url("/other?token=secret"))
    assert str(caught.value) == f"http://127.0.0.1:{site.port}/...: did not answer 200"
    assert caught.value.retry_helps == retry_helps


async def test_a_compressed_body_is_refused(site):
    """Nothing is decompressed: a small answer can't become a large file."""
    site.serve("/bomb", gzip.compress(bytes(100_000)), **{"Content-Encoding": "gzip"})
    async with Outside(LOCAL, time_limit_s=30) as outside:
        with pytest.raises(OutsideError, match="compressed"):
            await _fetch(outside, site.url("/bomb"))


@contextlib.asynccontextmanager
async def _raw_server(answer: bytes, *, drips=b""):
    """Answer each connection with `answer`; then close it, or repeat `drips` until the other side leaves."""

    ended = asyncio.Event()

    async def handle(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            while drips:
                writer.write(drips)
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/private/path?token=secret"
        await ended.wait()


@pytest.mark.parametrize(
    ("answer", "drips", "said"),
    [
        (b"", b"", "answered nothing that can be read|can't be reached"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", b"", "answered nothing that can be read"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"", "broke off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", b"", "broke off"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b".", "took too long"),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", "took too long|answered nothing"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", b"", "answered nothing that can be read"),
    ],
)
async def test_a_bad_answer_is_one_line(answer, drips, said):
    """Whatever comes back, or never does: one line within the time limit, with no path, no query and no answer."""
    limit_s = 0.3 if drips else 30
    async with _raw_server(answer, drips=drips) as url, Outside(LOCAL, time_limit_s=limit_s) as outside:
        with pytest.raises(OutsideError, match=f"^http://127[^ ]*/...: ({said})") as caught:
            await _fetch(outside, url)
    text = str(caught.value)
    assert text.isprintable()
    assert not any(secret in text for secret in ("secret", "private", "SSH", "half"))
    assert caught.value.retry_helps


async def test_a_host_that_is_not_there_is_one_line(site):
    """A closed port, and TLS where there is none, are told without a path."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    async with Outside(LOCAL, time_limit_s=30) as outside:
        for url in (f"http://127.0.0.1:{port}/path?secret", site.url("/path?secret").replace("http", "https")):
            with pytest.raises(OutsideError, match=r"/\.\.\.: (can't be reached|its TLS)") as caught:
                await _fetch(outside, url)
            assert caught.value.retry_helps


async def test_a_slow_name_is_cut_off():
    """Looking a name up counts against the time limit."""

    class Silent:
        async def resolve(self, host):
            await asyncio.Event().wait()

    async with Outside((), time_limit_s=0.05, resolver=Silent()) as outside:
        with pytest.raises(OutsideError, match="took too long"):
            await outside.check("http://slow.example/")


async def test_names_are_looked_up_for_whoever_asks(site):
    """Checks, fetches with their redirects, and posts of an owner whose names hang wait; another owner's do not."""
    site.redirect("/moved", site.url("/file", "picture.example"))

    class HalfSilent(ScriptedResolver):
        async def resolve(self, host):
            if host.endswith(".hangs.example"):
                await asyncio.Event().wait()
            return await super().resolve(host)

    async def post(outside, host):
        with contextlib.suppress(OutsideError):
            await outside.post(f"http://{host}.hangs.example/", b"", {}, owner="hostile")

    resolver = HalfSilent(picture_example=[["127.0.0.1"]])
    async with Outside(LOCAL, time_limit_s=30, resolver=resolver) as outside:
        tasks = [asyncio.create_task(post(outside, f"h{number}")) for number in range(100)]
        await asyncio.sleep(0)
        await outside.check(site.url("/file", "picture.example"), owner="victim")
        async with outside.get(site.url("/moved", "picture.example"), owner="victim") as fetched:
            assert b"".join([chunk async for chunk in fetched.chunks()]) == b"picture"
        assert await outside.post(site.url("/file", "picture.example"), b"{}", {}, owner="victim") == 200
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_post_is_one_exchange(site):
    """Body and headers arrive as given, and the status comes back whatever it is; a redirect is not followed."""
    site.redirect("/moved", "/file", 307)
    site.serve("/broken", status=503)
    async with Outside(LOCAL, time_limit_s=30) as outside:
        headers = {"Content-Type": "application/json", "User-Agent": "me"}
        assert await outside.post(site.url("/file?a=%2B"), b"{}", headers) == 200
        assert await outside.post(site.url("/moved"), b"{}", {}) == 307
        assert await outside.post(site.url("/broken"), b"{}", {}) == 503
    method, path, sent, body = site.requests[0]
    assert (method, path, body) == ("POST", "/file?a=%2B", b"{}")
    assert (sent["Content-Type"], sent["User-Agent"], sent["Content-Length"]) == ("application/json", "me", "2")
    assert len(site.requests) == 3


async def test_leaving_early_closes_the_transfer(site):
    """A caller that fails in the middle leaves nothing open, and its own error is its own."""
    site.serve("/large", bytes(5_000_000))

    async def fail_at_once(outside):
        async with outside.get(site.url("/large")) as fetched:
            async for chunk in fetched.chunks():
                raise TimeoutError(f"of the caller, after {len(chunk) > 0}")

    async with Outside(LOCAL, time_limit_s=30) as outside:
        with pytest.raises(TimeoutError, match="of the caller, after True"):
            await fail_at_once(outside)
        assert await _fetch(outside, site.url("/file")) == b"picture"
