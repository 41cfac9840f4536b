"""What a bad line can do to an exchange, over real sockets: each time everything is restored, and paid for once."""

from collections import deque

import pytest
from PIL import Image

from tests.faults.breaks import BREAKS
from tests.faults.wire import BadLine

_CALLS = ("submit", "listing", "status", "link", "file")


def _assert_all_is_well(line: BadLine, pictures: int) -> None:
    ledger = line.ledger
    assert (ledger.accepted, ledger.charged_credits, ledger.repeated_filenames) == (pictures, pictures, {})
    outputs = sorted(path for path in line.out.iterdir() if path.is_file())
    assert [path.name for path in outputs] == [f"p{number}.jpg" for number in range(pictures)]
    for path in outputs:
        with Image.open(path) as image:
            image.load()


@pytest.mark.parametrize("name", BREAKS)
async def test_a_break_of_any_call_costs_nothing(tmp_path, name):
    """The first exchange of each call breaks in one way: three outputs, three accepted jobs, three credits."""
    line = BadLine(tmp_path, {call: deque([BREAKS[name]]) for call in _CALLS if call != "listing"})
    summary = await line.restore(3)
    assert (summary.done, summary.failed, summary.message) == (3, 0, "")
    assert not line.breaks["submit"]
    assert not line.breaks["file"]
    _assert_all_is_well(line, 3)


@pytest.mark.parametrize("name", BREAKS)
async def test_a_break_of_the_listing_proves_no_absence(tmp_path, name):
    """A submit whose answer is lost, and then a listing that breaks: the job is adopted, not sent again."""
    broken = BREAKS[name]
    line = BadLine(tmp_path, {"submit": deque([BREAKS["response lost"]]), "listing": deque([None, broken, broken])})
    summary = await line.restore(1)
    assert (summary.done, summary.adopted, summary.resubmitted, summary.message) == (1, 1, 0, "")
    _assert_all_is_well(line, 1)


@pytest.mark.parametrize("name", ["hung in the body", "cut in the body", "reset in the body"])
async def test_a_large_result_goes_on_where_the_line_broke(tmp_path, name):
    """What came of a large result stays, and the rest of it is asked for alone: silence, not length, ends a try."""
    line = BadLine(tmp_path, {"file": deque([BREAKS[name]] * 3)})
    summary = await line.restore(1, result_bytes=4_000_000)
    assert (summary.done, line.exchanges.count("file")) == (1, 4)
    assert (line.out / "p0.jpg").stat().st_size == 4_000_000
    _assert_all_is_well(line, 1)
