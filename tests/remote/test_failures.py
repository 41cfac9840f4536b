"""What an answer means for the run: the contract's error table, call by call."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Fault
from engine.remote.failures import MAX_RETRY_AFTER_S, Call, Kind, RemoteError, classify, parse_retry_after

READS = [
    Call.STATUS,
    Call.LISTING,
    Call.LINK,
    Call.INPUT_LINK,
    Call.FORGET,
    Call.FORGET_ALL,
    Call.CANCEL,
]

SUBMIT = {
    400: Kind.BAD_JOB,
    401: Kind.KEY_REFUSED,
    402: Kind.NO_CREDITS,
    403: Kind.KEY_REFUSED,
    404: Kind.WRONG_ADDRESS,
    405: Kind.WRONG_ADDRESS,
    408: Kind.UNCLEAR,
    412: Kind.NO_CREDITS,
    413: Kind.BAD_JOB,
    415: Kind.BAD_JOB,
    418: Kind.BAD_JOB,
    422: Kind.BAD_JOB,
    425: Kind.BUSY,
    429: Kind.TOO_FAST,
}
READ = {
    400: Kind.TRANSIENT,
    401: Kind.KEY_REFUSED,
    403: Kind.KEY_REFUSED,
    404: Kind.GONE,
    408: Kind.TRANSIENT,
    409: Kind.NOT_YET,
    410: Kind.GONE,
    429: Kind.TOO_FAST,
}
FILE = {
    400: Kind.TRANSIENT,
    401: Kind.EXPIRED_LINK,
    403: Kind.EXPIRED_LINK,
    404: Kind.EXPIRED_LINK,
    410: Kind.EXPIRED_LINK,
    429: Kind.TOO_FAST,
}
BROKEN = (500, 502, 503, 504, 520, 599)
MOVED = (301, 302, 303, 307, 308)
CASES = [
    *((Call.SUBMIT, status, kind) for status, kind in SUBMIT.items()),
    *((Call.SUBMIT, status, Kind.UNCLEAR) for status in BROKEN),
    *((call, status, kind) for call in READS for status, kind in READ.items()),
    *((call, status, Kind.TRANSIENT) for call in READS for status in BROKEN),
    *((Call.FILE, status, kind) for status, kind in FILE.items()),
    *((Call.FILE, status, Kind.TRANSIENT) for status in BROKEN),
    *((call, status, Kind.WRONG_ADDRESS) for call in Call for status in MOVED),
]


@pytest.mark.parametrize(("call", "status", "kind"), CASES, ids=str)
def test_the_contracts_error_table(call: Call, status: int, kind: Kind):
    """Every documented status, for every call that can be answered with it."""
    assert classify(call, status) is kind


def test_no_answer_to_a_submit_invites_an_unproven_repeat():
    """Of all statuses only those that prove a refusal let the same picture be sent again without a look-up."""
    safe = {status for status in range(300, 600) if classify(Call.SUBMIT, status) in (Kind.BUSY, Kind.TOO_FAST)}
    assert safe == {425, 429}
    assert all(classify(Call.SUBMIT, status) is Kind.UNCLEAR for status in range(500, 600))


def test_a_repeat_helps_where_the_kind_says_so():
    """What is certainly not accepted or was only read may be tried again as it is."""
    helped = {kind for kind in Kind if RemoteError(kind, "x").retry_helps}
    assert helped == {Kind.BUSY, Kind.TOO_FAST, Kind.UNREACHABLE, Kind.TRANSIENT, Kind.EXPIRED_LINK}
    assert RemoteError(Kind.GONE, "x").fault is Fault.REMOTE


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        (" 12 ", 12.0),
        ("-5", 0.0),
        ("901", MAX_RETRY_AFTER_S),
        ("9" * 400, MAX_RETRY_AFTER_S),
        ("inf", MAX_RETRY_AFTER_S),
        ("-inf", 0.0),
        ("nan", None),
        ("soon", None),
        ("12, 13", None),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 04:05:05 +0100", 60.0),
        ("Fri, 02 Jan 2026 03:05:05 -0000", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:28:00 GMT", MAX_RETRY_AFTER_S),
        ("Fri, 99 Jan 2026 03:05:05 GMT", None),
        ("Mon, 01 Jan 99999 00:00:00 GMT", None),
        ("Fri, 02 Jan 2026 03:05:05 +99999999", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(value: str | None, seconds: float | None):
    """Between 0 and a quarter of an hour, whatever it says; what can't be understood counts as not said."""
    assert parse_retry_after(value, NOW.timestamp()) == seconds


DATE_LIKE = r"[A-Z][a-z]{2}, \d{1,4} (Jan|Feb|Xyz) \d{1,5} \d{1,3}:\d{1,3}:\d{1,3} [-+A-Z]{0,3}\d{0,9}"


@settings(max_examples=300, deadline=None)
@given(
    value=st.text(max_size=40) | st.from_regex(DATE_LIKE, fullmatch=True) | st.floats().map(str),
    now=st.floats(0, 4e9),
)
def test_no_header_is_an_error(value: str, now: float):
    """Servers write anything; the answer is a wait within bounds, or none."""
    seconds = parse_retry_after(value, now)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER_S


@settings(max_examples=100, deadline=None)
@given(ahead_s=st.integers(0, 900))
def test_a_date_is_as_good_as_seconds(ahead_s: int):
    """The HTTP date of a moment means the seconds until then."""
    date = format_datetime(NOW + timedelta(seconds=ahead_s), usegmt=True)
    assert parse_retry_after(date, NOW.timestamp()) == ahead_s
