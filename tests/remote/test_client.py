"""The typed calls of the contract, over a scripted transport."""

from pathlib import Path

import pytest

from engine.remote.acceptance import Route
from engine.remote.client import Accepted, Client, Link
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.multipart import Upload
from engine.remote.row import Progress
from engine.remote.transport import ConnectError, TransportError
from tests.fakes.clock import FakeClock
from tests.fakes.transport import Answer, ScriptedTransport, Step

BASE = "https://api.example.org/image/v1"
KEY = "k3y-0f-the-us3r"
UPLOAD = Upload.of({"model": "Faces"}, "run-000001.png", Path("unused"), 3, b"pix")
ROW = {"process_id": "p", "filename": "run-000001.png", "status": "Processing"}
CALLS = {
    Call.SUBMIT: lambda client: client.submit(UPLOAD),
    Call.STATUS: lambda client: client.status("p"),
    Call.LISTING: lambda client: client.listing(),
    Call.LINK: lambda client: client.link("p"),
    Call.INPUT_LINK: lambda client: client.input_link("p"),
    Call.FORGET: lambda client: client.forget("p"),
    Call.FORGET_ALL: lambda client: client.forget_all(),
    Call.CANCEL: lambda client: client.cancel("p"),
}


def _client(*steps: Step, base: str = BASE) -> tuple[Client, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Client(transport, base, KEY, FakeClock(now=1_760_000_000.0)), transport


async def _fails(call: Call, *steps: Step) -> RemoteError:
    client, _transport = _client(*steps)
    with pytest.raises(RemoteError) as caught:
        await CALLS[call](client)
    assert KEY not in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("call", "answer", "method", "path"),
    [
        (Call.SUBMIT, Answer(json={"process_id": "p"}), "POST", "/restore-gen/async"),
        (Call.STATUS, Answer(json=ROW), "GET", "/status/p"),
        (
            Call.LISTING,
            Answer(json={"data": [], "pagination": {"has_next_page": False, "next_cursor": None}}),
            "GET",
            "/status?paginated=true&limit=100",
        ),
        (Call.LINK, Answer(json={"download_url": "https://s3/x"}), "GET", "/download/p"),
        (Call.INPUT_LINK, Answer(json={"download_url": "https://s3/x"}), "GET", "/download/input/p"),
        (Call.FORGET, Answer(204), "DELETE", "/status/p"),
        (Call.FORGET_ALL, Answer(json={"deleted_count": 3}), "DELETE", "/status"),
        (Call.CANCEL, Answer(204), "DELETE", "/cancel/p"),
    ],
)
@pytest.mark.parametrize("base", [BASE, BASE + "/"])
async def test_each_call_is_one_request_with_the_key(call: Call, answer: Answer, method: str, path: str, base: str):
    """Method, path and key as the contract has them; a slash at the end of the base URL changes nothing."""
    client, transport = _client(answer, base=base)
    await CALLS[call](client)
    (request,) = transport.requests
    assert (request.method, request.url) == (method, BASE + path)
    assert request.headers["X-API-Key"] == KEY
    assert request.headers["Accept"] == "application/json"
    assert client.requests == {**dict.fromkeys(Call, 0), call: 1}


async def test_ids_and_cursors_are_quoted():
    """An id from the remote can't lead a request to another path."""
    page = Answer(json={"data": [], "pagination": {"has_next_page": False}})
    client, transport = _client(Answer(json=ROW), Answer(204), page)
    await client.status("../a?b#c")
    await client.cancel("x/y")
    await client.listing("a&b=/+", limit=7)
    assert [request.url.removeprefix(BASE) for request in transport.requests] == [
        "/status/..%2Fa%3Fb%23c",
        "/cancel/x%2Fy",
        "/status?paginated=true&limit=7&cursor=a%26b%3D%2F%2B",
    ]


def test_no_repr_shows_the_key():
    """Neither logs nor tracebacks give it away."""
    client, _transport = _client()
    assert repr(client) == f"<Client {BASE}: 0 requests>"


@pytest.mark.parametrize("members", [{"deleted_count": 3}, {"deleted_count": 3.0, "more": 1}])
async def test_forgetting_all_tells_how_many(members: dict):
    """As the remote counts them."""
    client, _transport = _client(Answer(json=members))
    assert await client.forget_all() == 3


@pytest.mark.parametrize(
    ("headers", "is_ours", "is_simulated"),
    [
        ({}, False, False),
        ({"X-Face-Recovery": "0.9"}, True, False),
        ({"x-face-recovery": "0.9", "X-Simulated": "true"}, True, True),
    ],
)
async def test_a_listing_tells_what_the_remote_is(headers: dict, is_ours: bool, is_simulated: bool):
    """By its headers, whatever their case."""
    client, _transport = _client(Answer(json={"data": [], "pagination": {}}, headers=headers))
    await client.listing()
    assert (client.is_ours, client.is_simulated) == (is_ours, is_simulated)


async def test_what_the_remote_says_is_shown_without_secrets():
    """A message that repeats the key, or a link with what signs it, goes into no report."""
    said = f"key {KEY} may not fetch https://user:word@s3.example/a.png?X-Sig=4711#frag now"
    error = await _fails(Call.STATUS, Answer(500, json={"message": said}))
    assert str(error) == "status was answered 500: key (the key) may not fetch https://s3.example/a.png?... now"


@pytest.mark.parametrize("before", range(180, 310, 5))
async def test_a_key_that_stands_where_words_are_cut_is_cut_whole(before: int):
    """Half a key is not known for one; in JSON or not."""
    said = "x" * before + KEY
    for answer in (Answer(500, json={"message": said}), Answer(500, said.encode())):
        assert KEY[:2] not in str(await _fails(Call.STATUS, answer))


async def test_rows_are_read_without_the_key():
    """It may stand in what is said of a job, by one's own status and by the listing; ids stay what they are."""
    row = {"process_id": KEY, "status": "Failed", "message": f"no {KEY}", "warnings": [f"{KEY}?", 5]}
    page = {"data": [row], "pagination": {"next_cursor": None, "has_next_page": False}}
    client, _transport = _client(Answer(json=row), Answer(json=page))
    for each in (await client.status("p"), *(await client.listing()).rows()):
        assert (each.process_id, each.message, each.warnings) == (KEY, "no (the key)", ("(the key)?", "5"))


def test_a_link_shows_no_signature():
    """Neither logs nor tracebacks give it away."""
    assert repr(Link("https://s3.example/x?sig=1")) == "<Link https://s3.example/x>"


class TestSubmit:
    """The one call that costs money."""

    @pytest.mark.parametrize("route", list(Route))
    async def test_every_route_takes_the_same_envelope(self, route: Route):
        """The route is the path, and nothing else changes."""
        client, transport = _client(Answer(json={"process_id": "p", "source_id": "s"}))
        assert await client.submit(UPLOAD, route) == Accepted("p", 0.0, "s")
        assert transport.requests[0].url == f"{BASE}/{route}/async"

    async def test_a_route_that_the_contract_lacks_is_never_called(self):
        """A mistake of this program's costs nothing."""
        client, transport = _client()
        with pytest.raises(ValueError, match="delete-all"):
            await client.submit(UPLOAD, "delete-all")
        assert transport.requests == []

    async def test_a_picture_may_be_named_instead_of_sent(self):
        """By its address, or as a source that the remote has: a form without a file part, under the filename."""
        client, transport = _client(Answer(json={"process_id": "p"}))
        await client.submit(Upload.of_fields({"source_url": "https://h/a.png?t=1"}, "run-000001.png"), "enhance")
        (request,) = transport.requests
        assert b'name="source_url"\r\n\r\nhttps://h/a.png?t=1\r\n' in request.body
        assert b'name="filename"\r\n\r\nrun-000001.png\r\n' in request.body
        assert b'name="image"' not in request.body

    async def test_the_picture_goes_out_as_the_upload_says(self):
        """Body and content headers are the upload's own."""
        client, transport = _client(Answer(json={"process_id": "p"}))
        await client.submit(UPLOAD)
        (request,) = transport.requests
        assert request.body == UPLOAD.body()
        assert request.headers["content-length"] == str(len(request.body))
        assert request.headers["content-type"] == f"multipart/form-data; boundary={UPLOAD.boundary}"

    @pytest.mark.parametrize(
        ("answer", "accepted"),
        [
            (Answer(json={"process_id": "p", "eta": 1_760_000_030}), Accepted("p", 1_760_000_030.0)),
            (Answer(json={"process_id": "p", "eta": "1760000030.5"}), Accepted("p", 1_760_000_030.5)),
            (Answer(json={"process_id": "p"}), Accepted("p", 0.0)),
            (Answer(json={"process_id": "p"}, headers={"x-eta": "12.5"}), Accepted("p", 12.5)),
            (Answer(json={"process_id": "p", "eta": "soon"}), Accepted("p", 0.0)),
            (Answer(json={"process_id": "p", "eta": [1]}), Accepted("p", 0.0)),
            (Answer(json={"process_id": "p"}, headers={"X-ETA": "nan"}), Accepted("p", 0.0)),
            (Answer(json={"process_id": "p"}, headers={"X-ETA": "inf"}), Accepted("p", 0.0)),
            (Answer(body=b"<html>", headers={"X-Process-ID": "h", "X-ETA": "5"}), Accepted("h", 5.0)),
            (Answer(body=b"", headers={"x-process-id": "h"}), Accepted("h", 0.0)),
            (Answer(json={"process_id": 7}, headers={"X-Process-ID": "h"}), Accepted("h", 0.0)),
            (Answer(201, json={"process_id": "p"}), Accepted("p", 0.0)),
        ],
    )
    async def test_an_acceptance_is_read_from_body_or_headers(self, answer: Answer, accepted: Accepted):
        """The process id is what counts; an eta that is none counts as not said."""
        client, _transport = _client(answer)
        assert await client.submit(UPLOAD) == accepted

    @pytest.mark.parametrize(
        "step",
        [
            *(Answer(status) for status in (408, 500, 502, 503, 504)),
            TransportError("reset by peer"),
            Answer(200, b"<html>gateway</html>"),
            Answer(200, b""),
            Answer(200, json=["p"]),
            Answer(200, json={"eta": 5}),
            Answer(200, json={"process_id": ""}),
            Answer(200, json={"process_id": 12}),
            Answer(200, json={"process_id": "p"}, breaks_after=5),
        ],
        ids=repr,
    )
    async def test_whatever_may_have_been_accepted_is_unclear(self, step: Step):
        """A server error, a broken line, a success that can't be read: look it up, never just send again."""
        assert (await _fails(Call.SUBMIT, step)).kind is Kind.UNCLEAR

    async def test_without_a_connection_nothing_was_sent(self):
        """A refused connection is safe to try again."""
        error = await _fails(Call.SUBMIT, ConnectError("refused"))
        assert (error.kind, error.retry_helps) == (Kind.UNREACHABLE, True)

    @pytest.mark.parametrize(
        ("header", "seconds"), [("17", 17.0), ("Thu, 09 Oct 2025 08:54:20 GMT", 60.0), ("soon", None), (None, None)]
    )
    async def test_too_fast_carries_the_remotes_word(self, header: str | None, seconds: float | None):
        """Retry-After, in seconds or as a date by the run's clock, comes with the error."""
        error = await _fails(Call.SUBMIT, Answer(429, headers={"retry-after": header} if header else {}))
        assert (error.kind, error.status, error.retry_after_s) == (Kind.TOO_FAST, 429, seconds)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (400, Kind.BAD_JOB),
            (401, Kind.KEY_REFUSED),
            (402, Kind.NO_CREDITS),
            (403, Kind.KEY_REFUSED),
            (412, Kind.NO_CREDITS),
            (413, Kind.BAD_JOB),
            (415, Kind.BAD_JOB),
            (422, Kind.BAD_JOB),
            (425, Kind.BUSY),
            (301, Kind.WRONG_ADDRESS),
        ],
    )
    async def test_refusals_are_told_apart(self, status: int, kind: Kind):
        """The contract's table, through the call."""
        assert (await _fails(Call.SUBMIT, Answer(status))).kind is kind


@pytest.mark.parametrize("call", [call for call in CALLS if call is not Call.SUBMIT])
@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (ConnectError("refused"), Kind.UNREACHABLE),
        (TransportError("reset"), Kind.TRANSIENT),
        (Answer(500), Kind.TRANSIENT),
        (Answer(404), Kind.GONE),
        (Answer(409), Kind.NOT_YET),
        (Answer(401), Kind.KEY_REFUSED),
        (Answer(429), Kind.TOO_FAST),
        (Answer(302, headers={"Location": "https://evil.example/"}), Kind.WRONG_ADDRESS),
    ],
    ids=repr,
)
async def test_reads_that_fail_say_how(call: Call, step: Step, kind: Kind):
    """Every other call may simply be repeated, or says why not."""
    assert (await _fails(call, step)).kind is kind


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"code": 4, "message": "image:\\n too  small"}', "image: too small"),
        (b'{"message": ""}', '{"message": ""}'),
        (b'{"message": 5}', '{"message": 5}'),
        (b"<html>\n<b>Bad gateway</b>", "<html> <b>Bad gateway</b>"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", "no message"),
        (b"   ", "no message"),
        (b'{"message": "' + b"x" * 5000 + b'"}', "x" * 300),
    ],
)
async def test_the_remotes_own_words_are_passed_on_in_one_line(body: bytes, words: str):
    """What the vendor says about a picture reaches the user, and no more than fits on a line."""
    error = await _fails(Call.STATUS, Answer(400, body))
    assert str(error) == f"status was answered 400: {words}"


class TestListing:
    """Page by page, and never half a listing for a whole one."""

    async def test_pages_follow_the_cursor(self):
        """The next cursor of each page asks for the next; the last has none."""
        client, transport = _client(
            Answer(json={"data": [ROW], "pagination": {"has_next_page": True, "next_cursor": "c/2"}}),
            Answer(json={"data": [ROW, ROW], "pagination": {"has_next_page": True, "next_cursor": 3}}),
            Answer(json={"data": [], "pagination": {"has_next_page": False, "next_cursor": "ignored"}}),
        )
        pages, cursor = [], None
        for _page in range(3):
            page = await client.listing(cursor)
            cursor = page.next_cursor
            pages.append((len(list(page.rows())), cursor))
        assert pages == [(1, "c/2"), (2, "3"), (0, None)]
        assert [request.url.partition("&limit=100")[2] for request in transport.requests] == [
            "",
            "&cursor=c%2F2",
            "&cursor=3",
        ]
        assert list(page.rows()) == []

    async def test_a_cursor_alone_announces_a_page_too(self):
        """A server that leaves `has_next_page` out is not taken to be at its end."""
        client, _transport = _client(Answer(json={"data": [], "pagination": {"next_cursor": "c"}}))
        assert (await client.listing()).next_cursor == "c"

    @pytest.mark.parametrize(
        "members",
        [
            [],
            {},
            {"data": [ROW]},
            {"data": ROW, "pagination": {}},
            {"data": [], "pagination": None},
            {"data": [], "pagination": {"has_next_page": True}},
            {"data": [], "pagination": {"has_next_page": True, "next_cursor": ""}},
        ],
        ids=repr,
    )
    async def test_a_listing_that_can_not_be_trusted_is_an_error(self, members: object):
        """Absence is proven by a whole listing only: anything less is read again."""
        assert (await _fails(Call.LISTING, Answer(json=members))).kind is Kind.TRANSIENT

    @pytest.mark.parametrize("row", [{}, None, "p", {"status": "Completed"}])
    async def test_a_row_that_can_not_be_this_runs_spoils_no_listing(self, row: object):
        """Somebody else's odd row, without id and filename, is passed over."""
        client, _transport = _client(Answer(json={"data": [row, ROW], "pagination": {}}))
        assert [each.process_id for each in (await client.listing()).rows()] == ["p"]

    async def test_a_row_without_its_process_id_is_an_error_for_whoever_reads_it(self):
        """A row with a filename might be this run's: a job that is overlooked would be sent again."""
        client, _transport = _client(Answer(json={"data": [{"filename": "run-000001.png"}], "pagination": {}}))
        with pytest.raises(RemoteError) as caught:
            list((await client.listing()).rows())
        assert caught.value.kind is Kind.TRANSIENT

    async def test_pages_that_go_in_a_circle_are_an_error(self):
        """A cursor that comes back ends the reading instead of repeating it for ever."""
        page = Answer(json={"data": [ROW], "pagination": {"has_next_page": True, "next_cursor": "c"}})
        client, _transport = _client(page, page, page)
        with pytest.raises(RemoteError) as caught:
            [row async for row in client.rows()]
        assert caught.value.kind is Kind.TRANSIENT


class TestStatus:
    """One row."""

    async def test_a_row_is_returned(self):
        """With its progress."""
        client, _transport = _client(Answer(json={**ROW, "status": "Completed"}))
        assert (await client.status("p")).progress is Progress.COMPLETED

    @pytest.mark.parametrize("answer", [Answer(body=b"no"), Answer(json=[]), Answer(json={}), Answer(json=5)], ids=repr)
    async def test_an_answer_that_is_no_row_is_read_again(self, answer: Answer):
        """A proxy's error page with status 200 fails no job."""
        assert (await _fails(Call.STATUS, answer)).kind is Kind.TRANSIENT


class TestLink:
    """Presigned links."""

    @pytest.mark.parametrize(
        ("members", "link"),
        [
            (
                {"download_url": "https://s3.example/x?sig=1", "expiry": 1_760_003_600},
                Link("https://s3.example/x?sig=1"),
            ),
            ({"download_url": "/files/x?sig=1"}, Link("https://api.example.org/files/x?sig=1")),
            ({"download_url": "files/x", "expiry": "later"}, Link(f"{BASE}/files/x")),
        ],
    )
    async def test_a_link_is_minted(self, members: dict, link: Link):
        """Absolute, or relative to the base URL."""
        client, _transport = _client(Answer(json=members))
        assert await client.link("p") == link

    @pytest.mark.parametrize("members", [{}, {"download_url": ""}, {"download_url": 5}, {"download_url": "http://[x"}])
    async def test_an_answer_without_a_link_is_tried_again(self, members: dict):
        """A paid result is not given up for one bad answer."""
        assert (await _fails(Call.LINK, Answer(json=members))).kind is Kind.TRANSIENT


class TestFile:
    """Fetching a presigned link."""

    @pytest.mark.parametrize("status", [200, 206, 416])
    async def test_the_body_comes_without_the_key(self, status: int):
        """The key never leaves for another host; the range asked for does."""
        client, transport = _client(Answer(status, b"pixels", headers={"ETag": '"e"'}))
        async with client.file("https://s3.example/x?sig=1", {"Range": "bytes=5-", "If-Range": '"e"'}) as answer:
            assert (answer.status, answer.headers["etag"], await answer.read()) == (status, '"e"', b"pixels")
        (request,) = transport.requests
        assert request.url == "https://s3.example/x?sig=1"
        assert dict(request.headers) == {"Range": "bytes=5-", "If-Range": '"e"', "Accept-Encoding": "identity"}
        assert KEY not in repr(request)
        assert client.requests[Call.FILE] == 1

    @pytest.mark.parametrize(
        ("step", "kind"),
        [
            (Answer(403), Kind.EXPIRED_LINK),
            (Answer(404), Kind.EXPIRED_LINK),
            (Answer(500), Kind.TRANSIENT),
            (Answer(429), Kind.TOO_FAST),
            (ConnectError("refused"), Kind.UNREACHABLE),
            (TransportError("reset"), Kind.TRANSIENT),
            (Answer(503, b"x" * 100, breaks_after=5), Kind.TRANSIENT),
        ],
        ids=repr,
    )
    async def test_what_is_no_file_is_an_error(self, step: Step, kind: Kind):
        """An expired link, a server error, a broken line: each says what to do next."""
        client, _transport = _client(step)
        with pytest.raises(RemoteError) as caught:
            async with client.file("https://s3.example/x", {}):
                pytest.fail("there is no file to be had")
        assert caught.value.kind is kind

    async def test_a_break_in_the_middle_comes_after_what_arrived(self):
        """The bytes so far are handed over, then the error says that the rest may be fetched again."""
        client, _transport = _client(Answer(200, b"0123456789", breaks_after=7))
        received = b""
        with pytest.raises(RemoteError) as caught:  # noqa: PT012 -- the break comes in the middle of the block
            async with client.file("https://s3.example/x", {}) as answer:
                async for chunk in answer.chunks(4):
                    received += chunk
        assert (received, caught.value.kind) == (b"0123456", Kind.TRANSIENT)
