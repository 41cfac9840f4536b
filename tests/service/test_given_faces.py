"""Faces that a submit gives itself: how many are taken, what they cost, how they are kept."""

import json

import pytest

from engine.errors import UsageError
from engine.job.parameters import MAX_FACES, Box, FaceRecovery
from engine.service.duration import Durations
from engine.service.given_faces import check_faces, face_work, packed
from engine.service.refusal import Refusal
from engine.service.submit import MAX_OPTIONS_BYTES
from engine.service.work import Work
from tests.service.harness import picture

NAME = "iai_packed_metadata"


def boxes(count: int, side: float = 1.0) -> tuple[Box, ...]:
    return tuple(Box(x=0, y=0, width=side, height=side) for _ in range(count))


def text(count: int, box: str = "0,0,1,1,1") -> str:
    return f"[{','.join([box] * count)}]"


def test_so_many_faces_and_no_more():
    """The limit itself is taken; one more is one line that says both numbers."""
    assert len(FaceRecovery.parse({NAME: text(MAX_FACES)}).iai_packed_metadata or ()) == MAX_FACES
    with pytest.raises(UsageError) as caught:
        FaceRecovery.parse({NAME: text(MAX_FACES + 1)})
    assert str(caught.value) == f"{NAME}: {MAX_FACES + 1} are too many, at most {MAX_FACES} are taken"


def test_a_long_wrong_value_does_not_hide_what_is_wrong():
    """Of a value of any length the beginning is quoted."""
    with pytest.raises(UsageError) as caught:
        FaceRecovery.parse({NAME: "face" * 10_000})
    assert str(caught.value).endswith("...: is not JSON")
    assert len(str(caught.value)) < 200


async def test_a_service_refuses_too_many_faces_before_a_worker_has_them(service):
    """4,000 boxes fit into a field; they are 422 and no job."""
    status, answer = await service.post(picture(), **{NAME: text(4000)})
    assert (status, answer["message"]) == (422, f"{NAME}: 4000 are too many, at most {MAX_FACES} are taken")
    assert await service.call("GET", "/status") == (200, [])


async def test_boxes_on_top_of_each_other_are_refused(service):
    """Boxes that cover the picture again and again are no faces; a few with wide margins may be."""
    whole = "-10,-10,400,400,1"
    status, answer = await service.post(picture(), **{NAME: text(5, whole)})
    assert (status, answer["message"]) == (
        422,
        f"{NAME}: the 5 boxes cover 5 times the picture, at most 4 times is taken: one box for each face",
    )
    assert (await service.post(picture(), **{NAME: text(4, whole)}))[0] == 200


def test_what_lies_outside_covers_nothing():
    """Only pixels of the picture count."""
    far = tuple(Box(x=500, y=-900, width=400, height=400) for _ in range(100))
    check_faces(far, 100, 100)
    assert face_work(far, 100, 100) == 100
    with pytest.raises(Refusal):
        check_faces(boxes(5, 100), 100, 100)


def test_faces_are_counted_by_number_and_area():
    """A large one is as much work as several small ones."""
    assert face_work((), 4000, 3000) == 0
    assert face_work(boxes(500), 4000, 3000) == pytest.approx(500, abs=0.1)
    assert face_work(boxes(1, 4000), 4000, 3000) == pytest.approx(37, abs=0.1)


async def test_the_most_faces_with_all_their_digits_fit(service):
    """500 boxes as a detector's 32-bit floats give them are accepted, kept as they came, and counted."""
    numbers = [12.566665649414062, 11.133333206176758, 1.199999809265137, 1.300000190734863, 0.9879999756813049]
    flat = numbers * MAX_FACES
    process_id = await service.submit(**{NAME: json.dumps(flat)})
    row = await service.row(process_id)
    assert json.loads(row["options_json"]) == {NAME: flat}
    assert (await service.reached(process_id, "Completed", "Failed"))["status"] == "Completed"


async def test_settings_as_a_whole_have_a_size(service):
    """However it comes about, a row stays small enough to be listed."""
    status, answer = await service.post(picture(), reference_uri="\\" * (MAX_OPTIONS_BYTES // 4))
    assert status == 422
    assert f"at most {MAX_OPTIONS_BYTES} are taken" in answer["message"]


def test_what_is_packed_means_the_same():
    """Rows and the journal hold the short form; a worker is given what was asked for."""
    asked = FaceRecovery.parse({NAME: "[1.5, 2, 3, 4, 0.25, -1, 0, 9, 9, 1]"}).iai_packed_metadata or ()
    assert json.dumps(packed(asked)) == "[1.5, 2, 3, 4, 0.25, -1, 0, 9, 9, 1]"
    assert FaceRecovery.parse({NAME: packed(asked)}).iai_packed_metadata == asked


class TestDurations:
    @staticmethod
    def work(face_work: float = 0.0, megapixels: float = 1.0) -> Work:
        return Work(route="restore-gen", megapixels=megapixels, face_work=face_work)

    def test_faces_cost_from_the_start(self):
        """500 faces are foretold in tens of seconds before anything was measured."""
        assert Durations().seconds(self.work(500.0)) > 20.0

    @pytest.mark.parametrize("face_s", [0.01, 0.06, 1.0])
    def test_what_a_face_costs_is_learned(self, face_s):
        """From jobs that give faces, whatever else such jobs take."""
        durations = Durations()
        for faces in [0, 5, 100, 500, 40] * 12:
            durations.learn(self.work(float(faces)), 0.5 + face_s * faces)
        for faces, within in ((0, 1.0), (40, 0.3), (500, 0.3)):
            expected = pytest.approx(0.5 + face_s * faces, rel=within)
            assert durations.seconds(self.work(float(faces))) == expected

    def test_one_job_does_not_make_faces_cheap(self):
        """Somebody whose job is over at once, however that came, has not changed everybody's price by much."""
        durations = Durations()
        before = durations.seconds(self.work(500.0))
        durations.learn(self.work(500.0), 0.001)
        assert durations.seconds(self.work(500.0)) > before / 2
