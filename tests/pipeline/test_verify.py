"""`verify`: what is on disk against what was recorded of it, and counts that add up to the plan."""

import hashlib
import os

import pytest

from engine.journal.line import decode, encode
from engine.pipeline.inspection import look
from engine.pipeline.order import Order
from engine.pipeline.verify import Wrong, verify
from tests.fakes.remote import Answer
from tests.pipeline.caring import verified
from tests.pipeline.harness import Bench, picture

ROOMY = 12


@pytest.fixture
async def restored(tmp_path):
    """A finished run of so many pictures, one of which has failed."""
    bench = Bench(tmp_path, settings={"submit_concurrency": 1}).pictures(ROOMY)
    bench.remote.fault("submit", Answer(400))
    await bench.restore()
    return bench


def output(bench, number=3):
    return bench.out / f"p{number:03d}.jpg"


def test_what_is_as_it_was_is_verified(restored):
    """Every output is good, the failed job has none, and the two make up the plan."""
    counts, bad, without = verified(restored)
    assert (counts.verified, counts.bad, bad, without) == (ROOMY - 1, 0, [], 1)


@pytest.mark.parametrize(
    ("damage", "wrong"),
    [
        (lambda path: path.unlink(), Wrong.MISSING),
        (lambda path: path.write_bytes(b""), Wrong.TRUNCATED),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), Wrong.TRUNCATED),
        (lambda path: path.write_bytes(path.read_bytes() + b"\0"), Wrong.CHANGED),
        (lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]), Wrong.CHANGED),
        (lambda path: path.write_bytes(picture(color=(1, 2, 3))), None),
        (lambda path: (path.unlink(), path.mkdir()), Wrong.UNREADABLE),
        (lambda path: (path.unlink(), os.mkfifo(path)), Wrong.UNREADABLE),
    ],
)
def test_what_is_not_as_it_was_is_named(restored, damage, wrong):
    """A lost, cut, altered or replaced output is bad, alone, under its job and name; the others stay verified."""
    damage(output(restored))
    counts, bad, without = verified(restored)
    assert [(each.job, each.output) for each in bad] == [(3, "p003.jpg")]
    assert wrong is None or bad[0].wrong is wrong
    assert (counts.verified + counts.bad + without, counts.bad) == (ROOMY, 1)


def test_other_dimensions_than_recorded_are_bad(restored):
    """An output whose bytes are as recorded, but not its width, is not what the job was done with."""
    rewrite(restored, 3, output_width=999)
    _counts, bad, _without = verified(restored)
    assert [(each.job, each.wrong) for each in bad] == [(3, Wrong.CHANGED)]
    assert "999" in bad[0].why


def test_bytes_that_were_recorded_and_are_no_picture_are_bad(restored):
    """Its hash alone makes no output good: it has to decode."""
    rubbish = b"no picture"
    output(restored).write_bytes(rubbish)
    sha256 = hashlib.sha256(rubbish).hexdigest()
    rewrite(restored, 3, output_bytes=len(rubbish), output_sha256=sha256)
    _counts, bad, _without = verified(restored)
    assert [each.job for each in bad] == [3]


def test_an_output_whose_record_is_lost_is_bad(restored):
    """A snapshot may know of an end whose line is damaged since: nothing to compare with, and it is counted."""
    tally, _summary = look(restored.run_folder, Order.load(restored.run_folder.order))
    lines = restored.run_folder.journal.read_bytes().splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if (record := decode(line)).get("job") == 3 and is_done(record))
    lines[at] = lines[at][:20] + b"?" + lines[at][21:]
    restored.run_folder.journal.write_bytes(b"".join(lines))
    bad = []
    (*_, counts) = verify(restored.run_folder, restored.out, tally, bad.append)
    assert [(each.job, each.wrong) for each in bad] == [(3, Wrong.UNRECORDED)]
    assert (counts.verified, counts.bad) == (ROOMY - 2, 1)


def test_it_reads_only(restored):
    """No file of the run or of its outputs is another one afterwards."""
    before = {path: path.read_bytes() for path in restored.folder.rglob("*") if path.is_file()}
    verified(restored)
    assert {path: path.read_bytes() for path in restored.folder.rglob("*") if path.is_file()} == before


def is_done(record):
    return record["event"] == "done"


def rewrite(bench, job, **members):
    """Change what the journal says of the end of `job`, as if that had been so."""
    journal = bench.run_folder.journal
    records = [decode(line) for line in journal.read_bytes().splitlines()]
    changed = [{**each, **members} if each.get("job") == job and is_done(each) else each for each in records]
    journal.write_bytes(b"".join(encode(each) for each in changed))
    bench.run_folder.snapshot.unlink()
