"""What a job would cost: both models, and whatever else somebody may send."""

import pytest

from engine.service.estimate import MAX_BULK, estimate, estimate_bulk
from engine.service.json_body import read_json
from engine.service.refusal import Refusal
from engine.service.work import Work, work_of

FACES = {"model": "Faces", "input_width": 4000, "input_height": 3000}
STANDARD = {**FACES, "model": "Standard V2"}


def duration_s(work: Work) -> float:
    """Stand for the crew: tells apart what it was asked for."""
    return work.megapixels * (2 if work.route == "restore-gen" else 3)


@pytest.mark.parametrize(
    ("width", "height", "price"),
    [(1, 1, 1), (6000, 4000, 1), (6000, 4001, 2), (8000, 6000, 2), (10_000, 6400, 3), (10_000, 10_000, 5)],
)
@pytest.mark.parametrize("question", [FACES, {**STANDARD, "crop_to_fill": True}])
def test_the_price_follows_the_table(question, width, height, price):
    """The contract's table holds for both models: a credit for every 24 megapixels begun."""
    asked = {**question, "output_width": width, "output_height": height}
    assert estimate(asked, duration_s)["credits"] == price


@pytest.mark.parametrize(
    ("question", "price"),
    [
        (FACES, 1),
        ({**FACES, "output_width": 8000}, 2),
        ({**FACES, "output_width": 10_000, "output_height": 10_000}, 5),
        (STANDARD, 1),
        ({**STANDARD, "output_height": 6000}, 2),
        ({**STANDARD, "output_width": 10_000, "output_height": 10_000}, 4),
        ({**STANDARD, "output_width": 10_000, "output_height": 10_000, "crop_to_fill": True}, 5),
    ],
)
def test_the_size_is_what_a_job_would_have(question, price):
    """Sides that are not asked for follow from the aspect, and `crop_to_fill` counts where it does in a job."""
    assert estimate(question, duration_s)["credits"] == price


@pytest.mark.parametrize(("question", "route", "factor"), [(FACES, "restore-gen", 2), (STANDARD, "enhance", 3)])
def test_the_duration_is_of_the_work(question, route, factor):
    """Whoever knows how fast work goes is asked about this model and these sizes."""
    asked = {**question, "output_width": 8000}
    work = work_of(route, (4000, 3000), (8000, 6000))
    assert estimate(asked, duration_s)["duration"] == work.megapixels * factor


def test_null_says_the_same_as_nothing():
    """Clients that write out every member are answered, and members that nobody knows are ignored."""
    absent = dict.fromkeys(("category", "output_width", "output_height", "crop_to_fill", "output_format"))
    assert estimate({**FACES, **absent, "strength": "?"}, duration_s) == estimate(FACES, duration_s)
    assert estimate({**FACES, "input_width": 4000.0}, duration_s) == estimate(FACES, duration_s)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"model": "Dust-Scratch"}, "model"),
        ({"model": None}, "model"),
        ({"category": "Enhance"}, "category"),
        ({"category": 1}, "category"),
        ({"input_width": True}, "input_width"),
        ({"input_width": "4000"}, "input_width"),
        ({"input_width": 4000.5}, "input_width"),
        ({"input_width": None}, "input_width"),
        ({"input_width": 1e30}, "input_width"),
        ({"input_width": 32_001}, "input_width"),
        ({"input_width": 32_000, "input_height": 32_000}, "input"),
        ({"output_width": 0}, "output_width"),
        ({"output_width": -1}, "output_width"),
        ({"output_width": []}, "output_width"),
        ({"output_width": 32_000, "output_height": 32_000}, "output"),
        ({"output_width": 32_000}, "output"),
        ({"crop_to_fill": 1}, "crop_to_fill"),
        ({"crop_to_fill": "true"}, "crop_to_fill"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_format": {"a": 1}}, "output_format"),
    ],
)
@pytest.mark.parametrize("question", [FACES, {**STANDARD, "category": "Enhance"}])
def test_a_wrong_question_is_refused_by_name(question, wrong, named):
    """400 with one line that begins with the member that is wrong; in bulk, in its place."""
    if wrong == {"category": "Enhance"}:
        wrong = {"category": "Enhance" if question is FACES else "Restore"}
    with pytest.raises(Refusal, match=f"^{named}: ") as caught:
        estimate({**question, **wrong}, duration_s)
    assert caught.value.status == 400
    refused = {"status": "error", "code": 400, "message": str(caught.value)}
    answers = estimate_bulk([question, {**question, **wrong}], duration_s)
    assert answers == [{"status": "success", **estimate(question, duration_s)}, refused]


def test_other_models_are_told_what_is_served():
    """Whoever asks for another model learns which there are."""
    with pytest.raises(Refusal, match="'Faces' and 'Standard V2'"):
        estimate({**FACES, "model": "Wonder"}, duration_s)


@pytest.mark.parametrize("question", [None, 1, "x", [], [FACES]])
def test_an_estimate_is_an_object(question):
    """Anything else is refused."""
    with pytest.raises(Refusal, match="must be an object"):
        estimate(question, duration_s)


@pytest.mark.parametrize("questions", [None, {}, "x", [FACES] * (MAX_BULK + 1)])
def test_a_bulk_is_a_list_of_few(questions):
    """One call can't ask for work without end."""
    with pytest.raises(Refusal, match="array of at most"):
        estimate_bulk(questions, duration_s)


HOSTILE = {
    "nothing": b"",
    "text": b"hello",
    "cut": b'{"model": "Fa',
    "two values": b"{} {}",
    "deep": b"[" * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "NaN": b'{"model": NaN}',
    "Infinity": b'{"model": -Infinity}',
    "1e400": b'{"input_width": 1e400}',
    "long number": b'{"input_width": ' + b"9" * 5000 + b"}",
    "half a character": b'{"model": "\\ud800"}',
    "no UTF-8": b'{"model": "\xff"}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"model": "Faces"}'.encode("utf-16"),
    "named twice": b'{"model": "Faces", "model": "Faces"}',
    "named twice inside": b'[{"a": {"b": 1, "b": 2}}]',
    "zero byte": b'{"model": "Faces"}\x00',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_is_refused(body):
    """Whatever is no plain JSON is 400, quickly and without a trace."""
    with pytest.raises(Refusal) as caught:
        read_json(body)
    assert caught.value.status == 400


def test_a_member_that_is_named_twice_is_named():
    """The message says which, shortened."""
    with pytest.raises(Refusal, match=r"names 'a{64}' twice"):
        read_json(b'{"%b": 1, "%b": 2}' % (b"a" * 100, b"a" * 100))


@pytest.mark.parametrize("body", [b"0", b"-0.0", b"1e-400", b'"\\u00e9"', b'{"a": {"b": 1}, "c": {"b": 1}}', b"9" * 30])
def test_sound_json_is_read(body):
    """Odd but sound JSON is no fault of the reader."""
    read_json(body)


@pytest.mark.parametrize("path", ["/estimate", "/estimate-gen", "/estimate-bulk"])
async def test_hostile_json_gets_an_answer(service, path):
    """The service answers all of it with 400, and goes on."""
    for body in HOSTILE.values():
        status, answer = await service.call("POST", path, data=body)
        assert (status, answer["code"]) == (400, 400)
    assert (await service.call("POST", "/estimate", json=FACES))[0] == 200
