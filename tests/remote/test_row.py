"""Status rows, read with tolerance."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.remote.row import Progress, Row, finite

WHOLE = {
    "process_id": "p-1",
    "source_id": "s-1",
    "filename": "run-000001.jpg",
    "input_format": "jpeg",
    "input_height": 30,
    "input_width": 40,
    "output_format": "png",
    "output_height": 60,
    "output_width": 80,
    "category": "Restore",
    "model_type": "GAN",
    "model": "Faces",
    "crop_to_fill": False,
    "options_json": "{}",
    "status": "Completed",
    "progress": 100,
    "eta": 1_760_000_010.5,
    "creation_time": 1_760_000_000,
    "modification_time": 1_760_000_009,
    "credits": 2,
    "faces": 3,
    "warnings": ["no face is larger than 8 pixels"],
    "message": "",
    "output_bytes": 1234,
}


def test_a_whole_row_is_read():
    """Every member the engine needs, under the contract's names."""
    assert Row.of_json(WHOLE) == Row(
        process_id="p-1",
        filename="run-000001.jpg",
        progress=Progress.COMPLETED,
        eta=1_760_000_010.5,
        created=1_760_000_000.0,
        modified=1_760_000_009.0,
        credits=2,
        output_width=80,
        output_height=60,
        output_bytes=1234,
        faces=3,
        warnings=("no face is larger than 8 pixels",),
        message="",
    )


def test_a_row_needs_nothing_but_its_process_id():
    """Whatever is missing has its default; the job counts as still going on."""
    row = Row.of_json({"process_id": "p"})
    assert (row.credits, row.eta, row.faces, row.warnings) == (0, 0.0, None, ())
    assert row.progress in (Progress.PENDING, Progress.PROCESSING)


@pytest.mark.parametrize("members", [{}, {"process_id": ""}, {"process_id": None}, {"process_id": 5}])
def test_a_row_without_a_process_id_is_none(members: dict):
    """Without it nothing can be asked about the job."""
    with pytest.raises(ValueError, match="process_id"):
        Row.of_json(members)


@pytest.mark.parametrize(
    ("word", "progress"),
    [
        *((word.value, word) for word in Progress),
        ("completed", Progress.COMPLETED),
        ("FAILED", Progress.FAILED),
        ("Queued", Progress.PROCESSING),
        ("", Progress.PROCESSING),
        (None, Progress.PROCESSING),
        (7, Progress.PROCESSING),
    ],
)
def test_an_unknown_status_word_counts_as_going_on(word: object, progress: Progress):
    """A word of a later version neither ends a job nor fails it."""
    assert Row.of_json({"process_id": "p", "status": word}).progress is progress


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=10) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(wrong=st.dictionaries(st.sampled_from([*sorted(WHOLE.keys() - {"process_id"}), "later"]), ANYTHING))
def test_wrongly_typed_members_never_raise(wrong: dict):
    """Whatever the members hold, the row can be read, and its numbers can be counted with."""
    row = Row.of_json({**WHOLE, **wrong})
    assert row.process_id == "p-1"
    for number in (row.eta, row.created, row.modified):
        assert math.isfinite(number)
    for count in (row.credits, row.output_width, row.output_height, row.output_bytes, row.faces or 0):
        assert type(count) is int
    assert all(type(text) is str for text in (row.filename, row.message, *row.warnings))


@pytest.mark.parametrize(
    ("value", "number"),
    [(5, 5.0), (1.5, 1.5), (math.nan, 0), (math.inf, 0), (10**400, 0), (True, 0), ("5", 0), (None, 0)],
)
def test_only_finite_numbers_are_numbers(value: object, number: float):
    """Neither texts nor infinities slip into times and sizes."""
    assert finite(value) == number
