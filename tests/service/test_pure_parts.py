"""The parts without effects: multipart, disposition, listing, life cycle, pace, magic bytes."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.service.credits import Ledger
from engine.service.disposition import parse_disposition
from engine.service.job_state import TABLE, Event, IllegalStep, Status, step
from engine.service.listing import Listing
from engine.service.multipart import Body, Malformed, Multipart, Part

BOUNDARY = "b0undary"


def _encode(parts):
    pieces = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\nX: y\r\n\r\n%b\r\n' % (BOUNDARY.encode(), name, body)
        for name, body in parts
    ]
    return b"preamble\r\n" + b"".join(pieces) + b"--" + BOUNDARY.encode() + b"--\r\nepilogue"


def _decode(data, cuts):
    parser, parts = Multipart(BOUNDARY), []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        for event in parser.feed(data[start:end]):
            match event:
                case Part(name=name):
                    parts.append((name.encode(), b""))
                case Body(data=more):
                    parts[-1] = (parts[-1][0], parts[-1][1] + more)
    return parts, parser.is_complete


# Bodies made of what delimiters are made of, so that near misses are common.
_bodies = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--b0undar", b"x", b"\r\n"]), max_size=12).map(
    b"".join
)


@given(parts=st.lists(st.tuples(st.sampled_from([b"a", b"image"]), _bodies), min_size=1, max_size=4), data=st.data())
def test_a_form_is_the_same_however_the_network_cuts_it(parts, data):
    """Any chunking of any form gives back every part byte for byte."""
    encoded = _encode(parts)
    cuts = data.draw(st.lists(st.integers(0, len(encoded)), max_size=6))
    assert _decode(encoded, cuts) == (parts, True)
    assert _decode(encoded, range(len(encoded))) == (parts, True)


@given(st.integers(0, 120))
def test_a_cut_form_is_never_complete(length):
    """A form that lacks its end is known to lack it."""
    encoded = _encode([(b"image", b"x" * 60)])
    assert not _decode(encoded[: min(length, len(encoded) - 15)], [])[1]


@given(st.binary(max_size=300))
def test_noise_is_no_form_and_no_crash(noise):
    """Arbitrary bytes are refused as malformed or stay incomplete; nothing else is raised."""
    for data in (noise, b"--b0undary\r\n" + noise):
        parser = Multipart(BOUNDARY)
        try:
            list(parser.feed(data))
        except Malformed:
            continue
        assert len(repr(parser)) < 100


def test_what_waits_in_the_parser_is_bounded():
    """A preamble or body without end is passed on or dropped, not gathered."""
    parser = Multipart(BOUNDARY)
    for _ in range(100):
        list(parser.feed(b"\r" * 10_000))
    assert repr(parser) == f"<Multipart preamble, {len(BOUNDARY) + 3} bytes buffered>"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('form-data; name="a"', ("a", None)),
        ("form-data; name=a", ("a", None)),
        ('form-data; name="image"; filename="a.png"', ("image", "a.png")),
        ('form-data; filename="a.png"; name="image"', ("image", "a.png")),
        ('Form-Data;name="image";FileName="a b;c=d.png"', ("image", "a b;c=d.png")),
        (r'form-data; name="image"; filename="say \"hi\".png"', ("image", 'say "hi".png')),
        ('form-data; name="image"; filename="a%20b%22.png"', ("image", "a%20b%22.png")),
        ("form-data; name=\"image\"; filename*=utf-8''%C3%BC.png", ("image", "ü.png")),
        ('form-data; name="image"; filename="u.png"; filename*=utf-8\'\'%C3%BC.png', ("image", "u.png")),
    ],
)
def test_a_disposition_gives_name_and_filename_verbatim(header, expected):
    """Every way in which clients write the header gives the name and the filename as they meant it."""
    assert parse_disposition(header) == expected


@pytest.mark.parametrize("header", ["", "form-data", "attachment; name=a", 'form-data; name=""', "form-data; name=a b"])
def test_a_broken_disposition_is_an_error(header):
    """A part without a clear name is refused."""
    with pytest.raises(ValueError, match="form field"):
        parse_disposition(header)


def test_the_listing_matches_a_plain_sort_under_random_changes():
    """Whatever was added and removed, pages are the sorted rest, and a cursor may name a row that is gone."""
    rng, listing, model = random.Random(7), Listing(), {}
    for number in range(3000):
        listing.add(number, f"row {number}")
        model[number] = f"row {number}"
        if rng.random() < 0.7:
            gone = rng.choice(list(model)[-300:])
            listing.remove(gone)
            del model[gone]
    assert listing.page(len(model), None) == (list(model.values())[::-1], None)
    for before in (None, 0, 1, 1500, 1501, 10_000):
        expected = [number for number in sorted(model, reverse=True) if before is None or number < before]
        rows, cursor = listing.page(10, before)
        assert rows == [model[number] for number in expected[:10]]
        assert cursor == (expected[9] if len(expected) > 10 else None)


def test_an_ended_job_takes_no_event():
    """Every final status has no way out, and asking for one raises."""
    for status in Status:
        for event in Event:
            if (status, event) not in TABLE:
                with pytest.raises(IllegalStep):
                    step(status, event)
    assert not [status for status, _ in TABLE if status.is_final]


def test_the_ledger_balances():
    """What was reserved is charged, given back, or still reserved."""
    ledger = Ledger()
    for record in (
        {"event": "accepted", "price": 3},
        {"event": "accepted", "price": 2},
        {"event": "accepted", "price": 1},
        {"event": "started"},
        {"event": "completed", "credits": 3},
        {"event": "failed", "credits": 2},
        {"event": "deleted"},
    ):
        ledger.apply(record)
    assert (ledger.reserved_credits, ledger.charged_credits, ledger.refunded_credits) == (1, 3, 2)
    assert (ledger.accepted, ledger.completed, ledger.failed, ledger.deleted) == (3, 1, 1, 1)
