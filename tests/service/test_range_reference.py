"""File answers against a second reading of RFC 9110, 13 and 14: a few hundred requests, through real HTTP.

Where the RFC leaves a choice, any of its answers is right; where ours differ from it, the test says so.
"""

import random
import re
from email.utils import formatdate, parsedate_to_datetime

import pytest

from engine.service.simulate.simulation import Simulation
from tests.service.harness import running

_REQUESTS = 300
_WHOLE, _NONE = "whole", "none"

_RANGES = [None, "bytes=0-0", "bytes=0-", "bytes=5-9", "bytes=-1", "bytes=-10", "bytes=-999999", "bytes=7-999999"]
_ODD_RANGES = [
    "bytes=-0",
    "bytes=999999-",
    "bytes=9-5",
    "bytes=-",
    "bytes=",
    "bytes",
    "items=0-5",
    "bytes=0-1,3-4",
    "bytes=0-1,",
    "bytes=a-b",
    "bytes=1-2-3",
    "BYTES=0-4",
    "bytes= 0-4",
    "bytes=0 - 4",
    "bytes=+1-4",
    "bytes=1.0-4",
    "bytes=0x1-4",
    "bytes=" + "9" * 30 + "-",
    "bytes=0-" + "9" * 5000,
    "bytes=" + "0-1," * 1000 + "0-1",
]


def _expected(range_, size):
    """Return the (first, last) that may be answered, with _WHOLE for the file and _NONE for 416."""
    if range_ is None:
        return [_WHOLE]
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", range_, re.ASCII | re.IGNORECASE)
    if found is None or found.groups() == ("", ""):
        return [_WHOLE, _NONE]  # several ranges, another unit or no range at all: ignored or refused (14.2, 15.5.17)
    first, last = found.groups()
    if not first:
        # The last no bytes are 416; aiohttp takes them for all bytes, which harms nobody.
        return [_NONE, (0, size - 1)] if int(last[:20]) == 0 else [(max(0, size - int(last)), size - 1)]
    if len(first) > 20 or int(first) >= size:
        return [_NONE, _WHOLE] if last and len(last) < 20 and int(last) < int(first[:20]) else [_NONE]
    if last and len(last) < 20 and int(last) < int(first):
        return [_WHOLE, _NONE]  # invalid
    end = size - 1 if not last or len(last) > 20 else min(int(last), size - 1)
    return [(int(first), end)] if len(last) < 4000 else [(int(first), end), _NONE]  # Python reads no longer numbers


def _conditions(tag, date):
    """Return (headers, verdict): 'go', 'no range', 304 or 412, by the order of 13.2.2."""
    earlier = formatdate(parsedate_to_datetime(date).timestamp() - 3600, usegmt=True)
    return [
        ({}, "go"),
        ({}, "go"),
        ({"If_Range": tag}, "go"),
        ({"If_Range": "W/" + tag}, "no range"),
        ({"If_Range": '"other"'}, "no range"),
        ({"If_Range": date}, "go"),
        ({"If_Range": earlier}, "no range"),
        ({"If_Range": "nonsense"}, "no range"),
        ({"If_Match": tag}, "go"),
        ({"If_Match": "*"}, "go"),
        ({"If_Match": '"other"'}, 412),
        ({"If_Match": f'"x", {tag}'}, "go"),
        ({"If_None_Match": tag}, 304),
        ({"If_None_Match": "W/" + tag}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"other"'}, "go"),
    ]


def _check(got, right, body):
    """Compare an answer with those that are right."""
    match got.status:
        case 200:
            assert _WHOLE in right
            assert got.body == body
        case 206:
            first, last = map(
                int, re.fullmatch(rf"bytes (\d+)-(\d+)/{len(body)}", got.headers["Content-Range"]).groups()
            )
            assert (first, last) in right
            assert got.body == body[first : last + 1]
        case 416:
            assert _NONE in right
            assert got.headers["Content-Range"] == f"bytes */{len(body)}"
        case status:
            assert status in right
            assert status not in (304, 412) or got.body == b"" or status == 412


@pytest.mark.parametrize("simulation", [None, Simulation(seed=1)], ids=["stored", "simulated"])
async def test_ranges_and_conditions_are_those_of_the_rfc(tmp_path, simulation):
    """Any range with any condition: the right bytes, the whole file, 304, 412 or 416, as the RFC reads."""
    rng = random.Random(9110)
    settings = {} if simulation is None else {"simulation": simulation}
    async with running(tmp_path / "service", **settings) as service:
        row = await service.reached(await service.submit("padding" * 20), "Completed")
        url = (await service.link(row["process_id"]))["download_url"]
        whole = await service.fetch(url)
        conditions = _conditions(whole.headers["ETag"], whole.headers["Last-Modified"])
        for _ in range(_REQUESTS):
            range_ = rng.choice(_RANGES + _ODD_RANGES)
            headers, verdict = rng.choice(conditions)
            got = await service.fetch(url, **headers, **({} if range_ is None else {"Range": range_}))
            right = _expected(range_, len(whole.body)) if verdict == "go" else [_WHOLE]
            if isinstance(verdict, int):
                right = [verdict]
            try:
                _check(got, right, whole.body)
            except AssertionError as wrong:
                raise AssertionError(f"{range_!r:.60} {headers}: {got.status}, right is {right}") from wrong
