"""Plan lines and result rows, written and read back."""

import pytest

from engine.job.outcome import Outcome, Timings
from engine.job.spec import JobSpec
from engine.job.stage import StageEnd
from engine.journal.line import decode, encode

SPECS = [
    JobSpec(number=0, source="/in/a.jpg", output="a.jpg"),
    JobSpec(
        number=7,
        source="file:///in/%FF.png",
        output="sub/b.jpg",
        format="png",
        size_bytes=1234,
        width=40,
        height=30,
        output_width=80,
        output_height=60,
        credits=1,
    ),
    JobSpec(number=2, source="/in/c.jpg", output="c.jpg", credits=3, then_credits=2),
    JobSpec(number=3, source="/in/c.gif", reason="is GIF; JPEG, PNG and TIFF are supported"),
]
OUTCOMES = [
    Outcome(number=0, source="/in/a.jpg", reason="no such luck"),
    Outcome(
        number=9,
        source="https://x/y.jpg",
        output="y.jpg",
        process_id="p",
        credits=2,
        faces=0,
        attempts=3,
        input_sha256="aa",
        output_sha256="bb",
        output_bytes=10,
        output_width=4,
        output_height=3,
        timings=Timings(submit_s=0.1, remote_s=2.5, download_s=0.3),
        warnings=("one", "two"),
    ),
    Outcome(
        number=4,
        source="/in/d.jpg",
        output="d.jpg",
        process_id="q",
        credits=3,
        stages=(
            StageEnd(process_id="p", credits=1, attempts=2, faces=3, warnings=("w",), timings=Timings(remote_s=1.5)),
            StageEnd(process_id="q", credits=2),
        ),
    ),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.source)
def test_a_plan_line_reads_back(spec: JobSpec):
    """Through the file and back, refused inputs without an output included."""
    assert JobSpec.of_record(decode(encode(spec.record()))) == spec


def test_a_plan_line_leaves_out_what_is_empty():
    """A million lines are read at every resume: they hold what they must."""
    assert SPECS[0].record() == {"job": 0, "source": "/in/a.jpg", "output": "a.jpg"}


@pytest.mark.parametrize(
    ("source", "is_url"),
    [("http://a/b", True), ("https://a/b", True), ("/http://a", False), ("file:///a", False), ("ftp://a", False)],
)
def test_urls_are_told_from_paths(source: str, is_url: bool):
    """Only http and https sources are fetched."""
    assert JobSpec(number=0, source=source).is_url is is_url


@pytest.mark.parametrize("outcome", OUTCOMES, ids=["failed", "done", "chained"])
def test_a_result_row_reads_back(outcome: Outcome):
    """Through the file and back nothing is lost."""
    assert Outcome.of_record(decode(encode(outcome.record()))) == outcome


def test_a_row_says_how_the_job_ended():
    """A reason makes it failed; without one it is done. Credits and faces always stand in the row."""
    failed, done, _chained = (outcome.record() for outcome in OUTCOMES)
    assert (failed["job"], failed["status"], failed["credits"], failed["faces"]) == (0, "failed", 0, None)
    assert (done["job"], done["status"], done["credits"], done["faces"]) == (9, "done", 2, 0)
    assert "output" not in failed
    assert "number" not in done
    assert [outcome.is_done for outcome in OUTCOMES] == [False, True, True]
    assert "stages" not in done


def test_members_of_a_later_version_are_ignored():
    """A row written by a newer program can still be read, and so can one with less in it."""
    row = {"job": 1, "source": "x", "status": "done", "mood": "good", "timings": {"submit_s": 1.0, "queue_s": 2.0}}
    assert Outcome.of_record(row) == Outcome(number=1, source="x", timings=Timings(submit_s=1.0))
