"""Faces are found at any size, and only where there are some."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFilter

from engine.demo.group import BACK_ROW, FRONT_ROW, compose_group
from engine.errors import InputError
from engine.faces.boxes import USUAL_LANDMARKS, faces_in_boxes
from engine.faces.detect import Detector, Face
from engine.faces.options import Box
from engine.faces.slant import find_faces

FACE = (181.5, 58.2, 88.4, 119.6)  # of the astronaut: x, y, width, height


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(0.0, width) * max(0.0, height)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def only_face(detector: Detector, image: Image.Image, expected: tuple[float, ...]) -> Face:
    faces = detector.find(np.asarray(image))
    assert len(faces) == 1
    assert overlap(faces[0].box, expected) > 0.5
    return faces[0]


def test_the_portrait(detector: Detector, astronaut: Image.Image) -> None:
    """A plain portrait has one face, with landmarks in their natural order."""
    face = only_face(detector, astronaut, FACE)
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert face.score > 0.8
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


@pytest.mark.parametrize("face_px", [16, 24, 48, 96, 240, 700])
@pytest.mark.parametrize("around", [0.0, 0.3, 1.5])
def test_any_size(detector: Detector, astronaut: Image.Image, face_px: int, around: float) -> None:
    """Faces of 16 px to 700 px are found, in a wide view and in a picture that is nothing but the face."""
    x, y, width, height = FACE
    left, top = max(0.0, x - around * width), max(0.0, y - around * height)
    box = (left, top, min(512.0, x + (1 + around) * width), min(512.0, y + (1 + around) * height))
    zoom = face_px / height
    size = (round((box[2] - left) * zoom), round((box[3] - top) * zoom))
    image = astronaut.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3)
    only_face(detector, image, ((x - left) * zoom, (y - top) * zoom, width * zoom, height * zoom))


def test_damaged_faces(detector: Detector, small_portrait: Image.Image) -> None:
    """Blur, noise and crushing do not hide a face."""
    expected = (53.0, 29.0, 44.0, 60.0)
    noisy = np.asarray(small_portrait, float) + np.random.default_rng(0).normal(0, 25, (160, 160, 3))
    crushed = io.BytesIO()
    small_portrait.save(crushed, "JPEG", quality=6)
    only_face(detector, small_portrait.filter(ImageFilter.GaussianBlur(3)), expected)
    only_face(detector, Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), expected)
    only_face(detector, Image.open(crushed), expected)


def test_a_face_cut_by_the_border(detector: Detector, astronaut: Image.Image) -> None:
    """A face of which the border leaves two thirds is still found."""
    assert len(detector.find(np.asarray(astronaut.crop((205, 0, 512, 512))))) == 1


def test_many(detector: Detector) -> None:
    """All nine faces of a group are found, in the full picture and at a third of it."""
    group = compose_group(Image.fromarray(skimage.data.astronaut()), np.random.default_rng(0))
    for size in (group.size, (427, 240)):
        faces = detector.find(np.asarray(group.resize(size, Image.Resampling.LANCZOS)))
        assert len(faces) == len(BACK_ROW) + len(FRONT_ROW)


def test_small_faces_of_a_large_picture(detector: Detector, astronaut: Image.Image) -> None:
    """A face of 30 px in the corner of 6 MP is not lost by shrinking the picture for the look."""
    wall = Image.new("RGB", (3000, 2000), (190, 185, 180))
    wall.paste(astronaut.crop((76, 0, 396, 320)).resize((80, 80), Image.Resampling.LANCZOS), (2700, 1700))
    assert len(detector.find(np.asarray(wall))) == 1


@pytest.mark.parametrize("name", ["coffee", "rocket", "chelsea", "brick", "moon", "page", "coins"])
def test_nothing_is_made_up(detector: Detector, name: str) -> None:
    """A cup, a rocket, a cat and plain textures have no faces."""
    image = Image.fromarray(getattr(skimage.data, name)()).convert("RGB")
    assert find_faces(detector, np.asarray(image)) == []


@pytest.mark.parametrize("angle", [-150, -90, -60, -30, 30, 45, 60, 75, 90, 120, 180])
def test_slanted_faces(detector: Detector, astronaut: Image.Image, angle: int) -> None:
    """A head held at a slant, or a scan laid in sideways, gets the landmarks it has upright."""
    upright = detector.find(np.asarray(astronaut))[0].landmarks
    middle = np.array([226.0, 118.0])
    turned = astronaut.rotate(angle, Image.Resampling.BICUBIC, center=tuple(middle), fillcolor=(190, 180, 178))
    (face,) = find_faces(detector, np.asarray(turned))
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    expected = (upright - middle) @ np.array([[cos, -sin], [sin, cos]]) + middle
    assert np.abs(face.landmarks - expected).max() < 8


def test_a_blurred_face_upside_down(detector: Detector, astronaut: Image.Image) -> None:
    """A face that the detector can't see as it lies is found by turning the picture."""
    image = astronaut.crop((100, 0, 356, 256)).filter(ImageFilter.GaussianBlur(2)).resize((72, 72))
    rgb = np.asarray(image.transpose(Image.Transpose.ROTATE_180))
    (upright,) = detector.find(np.asarray(image))
    (face,) = find_faces(detector, rgb)
    assert detector.find(rgb) == []
    x, y, width, height = upright.box
    assert overlap(face.box, (72 - x - width, 72 - y - height, width, height)) > 0.6
    assert face.landmarks[:2, 1].min() > face.landmarks[3:, 1].max()


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (3000, 2), (31, 33)])
def test_odd_sizes(detector: Detector, size: tuple[int, int]) -> None:
    """Pictures of a single row, column or pixel are looked at without harm."""
    assert find_faces(detector, np.zeros((*size, 3), np.uint8)) == []


def test_a_given_box_finds_its_landmarks(detector: Detector, astronaut: Image.Image) -> None:
    """A rough box gets the landmarks of the face in it, and keeps its own bounds and score."""
    rgb = np.asarray(astronaut)
    (face,) = faces_in_boxes(detector, rgb, [Box(x=170, y=40, width=110, height=150, score=0.4)])
    assert (face.box, face.score) == ((170, 40, 110, 150), 0.4)
    assert np.abs(face.landmarks - detector.find(rgb)[0].landmarks).max() < 6


def test_a_given_box_without_a_visible_face_gets_usual_landmarks(detector: Detector) -> None:
    """The caller's word counts: where nothing can be made out, landmarks lie where they usually do."""
    (face,) = faces_in_boxes(detector, np.zeros((300, 300, 3), np.uint8), [Box(x=50, y=60, width=100, height=120)])
    assert np.allclose(face.landmarks, USUAL_LANDMARKS * (100, 120) + (50, 60))


@pytest.mark.parametrize(
    ("box", "trouble"),
    [
        (Box(x=600, y=10, width=50, height=50), "outside the picture of 512 x 512"),
        (Box(x=-60, y=10, width=50, height=50), "outside the picture"),
        (Box(x=10, y=10, width=0, height=50), "no area"),
        (Box(x=10, y=10, width=50, height=-5), "no area"),
        (Box(x=float("nan"), y=10, width=50, height=5), "not a number"),
    ],
)
def test_impossible_boxes_are_named(detector: Detector, astronaut: Image.Image, box: Box, trouble: str) -> None:
    """A box that can hold no face is refused by its number and bounds."""
    sound = Box(x=170, y=40, width=110, height=150)
    with pytest.raises(InputError, match=f"^face box 2 .*{trouble}"):
        faces_in_boxes(detector, np.asarray(astronaut), [sound, box])
