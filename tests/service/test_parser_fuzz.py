"""Parsers of what strangers send, over inputs that nobody thought of: same result however cut, no other exception.

`test_pure_parts` has the plain cases. The examples are the same in every run.
"""

import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.job.parameters import FaceRecovery
from engine.remote.multipart import Upload
from engine.service.disposition import parse_disposition
from engine.service.listing import Listing
from engine.service.multipart import Body, Malformed, Multipart, Part
from engine.service.presign import Presigner

_steady = settings(max_examples=150, deadline=None, derandomize=True)
_LIMIT = 16 * 1024

# What forms are made of, whole and in pieces, in any order.
_CRUMBS = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"\r\n",
        b"\r",
        b"\n",
        b"-",
        b"\r\n--b\r\n",
        b"\r\n\r\n",
        b'Content-Disposition: form-data; name="a"',
        b'content-disposition:form-data;name=image;filename="x"',
        b"Content-Disposition: form-data",
        b"Content-Type: a/b",
        b"x" * 40,
        b"\0\xff",
    ]
)
_NOISE = st.lists(_CRUMBS | st.binary(max_size=6), max_size=30).map(b"".join)


def _events(pieces):
    """Return the parts as [name, filename, body], and how it ended: 'whole', 'cut' or why it is malformed."""
    parser, parts = Multipart("b"), []
    try:
        for piece in pieces:
            for event in parser.feed(piece):
                match event:
                    case Part(name=name, filename=filename):
                        parts.append([name, filename, b""])
                    case Body(data=data):
                        parts[-1][2] += data
            buffered = int(re.search(r"(\d+) bytes", repr(parser))[1])
            assert buffered <= _LIMIT + 4, "the buffer is bounded whatever comes"
    except Malformed as error:
        return parts, str(error)
    return parts, "whole" if parser.is_complete else "cut"


def _cut(data, cuts):
    return [data[start:end] for start, end in itertools.pairwise([0, *sorted(cuts), len(data)])]


@_steady
@given(data=st.data(), noise=_NOISE)
def test_anything_at_all_is_the_same_however_the_network_cuts_it(data, noise):
    """The same parts and the same end, in one piece, in some, and byte by byte; Malformed is all that is raised."""
    body = b"--b\r\n" + noise
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=5))
    whole = _events([body])
    assert _events(_cut(body, cuts)) == whole
    assert _events([body[at : at + 1] for at in range(len(body))]) == whole


@pytest.mark.parametrize("length", range(_LIMIT - 6, _LIMIT + 2))
def test_a_header_near_the_limit_is_the_same_however_it_is_cut(length):
    """Whether a header is too long depends on the header alone, the line end before it included."""
    first = b'Content-Disposition: form-data; name="a"\r\nX: '
    body = b"--b\r\n" + first.ljust(length, b"y") + b"\r\n\r\nv\r\n--b--"
    whole = _events([body])
    assert whole[1] == ("whole" if length + 2 <= _LIMIT else f"a part's header is longer than {_LIMIT} bytes")
    for tail in range(8):
        at = len(b"--b\r\n") + length + tail
        assert _events([body[:at], body[at:]]) == whole


@_steady
@given(
    fields=st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(st.characters(codec="utf-8"), max_size=20), max_size=4
    ),
    content=st.binary(max_size=200) | _NOISE,
    data=st.data(),
)
def test_what_the_engine_writes_the_service_reads(fields, content, data):
    """The form of the engine's own writer comes back field by field and byte by byte, however it is cut."""
    upload = Upload.of(fields, "run-1.jpg", Path(), len(content), content)
    body = upload.body()
    parser = Multipart(upload.boundary)
    parts = {}
    for piece in _cut(body, data.draw(st.lists(st.integers(0, len(body)), max_size=5))):
        for event in parser.feed(piece):
            match event:
                case Part(name=name, filename=filename):
                    current = parts.setdefault((name, filename), bytearray())
                case Body(data=more):
                    current += more
    assert parser.is_complete
    texts = {(name, None): bytearray(text.encode()) for name, text in fields.items()}
    assert parts == {**texts, ("image", "run-1.jpg"): bytearray(content)}


@_steady
@given(
    st.text()
    | st.lists(st.sampled_from([";", '"', "\\", "=", " ", "name", "filename", "*", "a", "utf-8''%"])).map("".join)
)
@example("form-data; name=a; filename*=utf-8''%ff%fe")
@example("form-data; name=a" + "; x=y" * 3000)
def test_any_disposition_is_a_name_or_a_value_error(text):
    """A header is understood or refused; nothing else is raised."""
    try:
        name, filename = parse_disposition(text)
    except ValueError:
        return
    assert name
    assert filename is None or isinstance(filename, str)


@_steady
@given(st.text(max_size=40))
def test_a_quoted_filename_comes_back(filename):
    """Whatever is quoted with backslashes comes back as it was."""
    quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
    assert parse_disposition(f'form-data; name="image"; filename="{quoted}"') == ("image", filename)


@pytest.mark.parametrize("again", ["name=b", 'NAME="b"', "filename=c", 'filename="c"'])
def test_a_disposition_that_says_something_twice_is_refused(again):
    """No proxy in front can have read another name than the service."""
    with pytest.raises(ValueError, match="twice"):
        parse_disposition(f'form-data; name="a"; filename="x"; {again}')


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["box", "score", "x", "width"]), inner),
    max_leaves=12,
)


@_steady
@given(_JSON.map(json.dumps) | st.text(max_size=60))
@example("[" * 60_000)
@example("[" + "9" * 60_000 + ",1,1,1,1]")
@example('["\\ud800",1,1,1,1]')
@example('[{"box":[1,1,1,1],"score":1,"box":[2,2,2,2]}]')
@example("[true,true,true,true,true]")
def test_any_boxes_are_boxes_or_a_usage_error(text):
    """What is taken can be sent on; what is not is refused in one line."""
    try:
        parameters = FaceRecovery.parse({"iai_packed_metadata": text})
    except UsageError:
        return
    form = {name: value for name, value in parameters.form().items() if name != "model"}
    assert FaceRecovery.parse(form) == parameters


_LINKS = Presigner(100.0, b"s" * 32)
_QUERY_TEXT = st.text(st.characters(exclude_categories=()), max_size=12)  # half characters too


def _signed(method="GET", path="/files/outputs/a", key="key-1"):
    link, expires = _LINKS.sign(method, path, key, 1000.0)
    return dict(pair.split("=", 1) for pair in link.partition("?")[2].split("&")), expires


@_steady
@given(data=st.data(), what=st.sampled_from(["expires", "key", "signature", "path", "method"]))
def test_a_link_with_any_character_changed_is_no_link(data, what):
    """One character exchanged, added or left out anywhere makes it worthless."""
    query, _ = _signed()
    signed = {**query, "path": "/files/outputs/a", "method": "GET"}
    text = signed[what]
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + data.draw(_QUERY_TEXT) + text[at + data.draw(st.integers(0, 2)) :]
    # A leading zero changes no number, and a link for GET also answers HEAD.
    if changed == text or (what == "expires" and changed.lstrip("0") == text) or changed == "HEAD":
        return
    signed[what] = changed
    found = _LINKS.mark_in(signed["method"], signed["path"], {name: signed[name] for name in query}, 1000.0)
    assert found is None


@_steady
@given(expires=_QUERY_TEXT, key=_QUERY_TEXT, signature=_QUERY_TEXT, path=_QUERY_TEXT)
def test_any_query_is_no_link_and_no_crash(expires, key, signature, path):
    """Nothing that a stranger writes is a link, and nothing is an exception."""
    for when in (expires, "5000"):
        assert _LINKS.mark_in("GET", path, {"expires": when, "key": key, "signature": signature}, 1000.0) is None


def test_a_link_holds_for_its_time_and_another_secret_makes_another_link():
    """The control for the tests above: what was signed is taken, until it ends, and here only."""
    query, expires = _signed()
    assert _LINKS.mark_in("GET", "/files/outputs/a", query, expires - 1) == "key-1"
    assert _LINKS.mark_in("GET", "/files/outputs/a", query, expires) is None
    assert Presigner(100.0, b"t" * 32).mark_in("GET", "/files/outputs/a", query, 1000.0) is None


@_steady
@given(
    kept=st.sets(st.integers(0, 600), max_size=60),
    limit=st.integers(1, 100),
    cursor=st.none() | st.integers(0, 700) | st.integers(0, 10**15),
)
def test_any_cursor_gives_the_rows_behind_it(kept, limit, cursor):
    """A cursor may be any number: the page is the rows below it, the highest first."""
    listing = Listing()
    for number in kept:
        listing.add(number, f"row {number}")
    below = sorted((number for number in kept if cursor is None or number < cursor), reverse=True)
    rows, following = listing.page(limit, cursor)
    assert rows == [f"row {number}" for number in below[:limit]]
    assert following == (below[limit - 1] if len(below) > limit else None)
