"""Faces that are not upright: scans laid in sideways, heads held at a slant.

The detector knows upright faces. It finds slanted ones too, but places their landmarks badly, so they are turned
upright by what it said and looked at again; where nothing at all is found, the picture is tried in its quarter turns.
"""

import math
from dataclasses import replace
from typing import Final

import numpy as np

from engine.faces.align import Transform, crop_aligned, invert, to_template
from engine.faces.detect import Detector, Face
from engine.faces.picture import Pixels

__all__ = ["find_faces", "straightened"]

SLANTED: Final = math.radians(20)  # up to here CenterFace's landmarks fit as well as on upright faces
LOOK_PX: Final = 256
SURE: Final = 0.5  # asked of turned pictures: a picture without faces gets three more chances to mislead
ATTEMPTS: Final = 2  # at 60 degrees the first answer is off by a third of the angle, the second fits


def find_faces(detector: Detector, rgb: Pixels) -> list[Face]:
    """The faces in a height x width x 3 picture at any angle, surest first."""
    faces = detector.find(rgb) or _find_turned(detector, rgb)
    return [straightened(detector, rgb, face) for face in faces]


def _find_turned(detector: Detector, rgb: Pixels) -> list[Face]:
    """The best of the picture's three other quarter turns, in coordinates of the picture as it is."""
    found: list[Face] = []
    for quarters in (1, 3, 2):
        faces = [face for face in detector.first_look(np.rot90(rgb, quarters)) if face.score >= SURE]
        if faces and (not found or faces[0].score > found[0].score):
            back = invert(_quarter_turn(quarters, rgb.shape[1], rgb.shape[0]))
            found = [_mapped(face, back) for face in faces]
    return found


def _quarter_turn(quarters: int, width: int, height: int) -> Transform:
    """What `numpy.rot90` does to the coordinates of a picture: a quarter turn to the left, `quarters` times."""
    turns = {
        1: [[0, 1, 0], [-1, 0, width]],
        2: [[-1, 0, width], [0, -1, height]],
        3: [[0, -1, height], [1, 0, 0]],
    }
    return np.array(turns[quarters], float)


def straightened(detector: Detector, rgb: Pixels, face: Face) -> Face:
    """The face with landmarks as seen upright; as it is, if it is upright or can't be seen any better."""
    if abs(_slant(face)) < SLANTED:
        return face
    best = face
    for _ in range(ATTEMPTS):
        upright = to_template(best.landmarks, LOOK_PX)
        seen = detector.look(crop_aligned(rgb, upright, LOOK_PX), 1.0)
        same = next((hit for hit in seen if _holds_middle(hit)), None)
        if same is None:
            break
        best = replace(best, score=max(best.score, same.score), landmarks=_mapped(same, invert(upright)).landmarks)
    return best


def _holds_middle(face: Face) -> bool:
    """Whether it is the face that an aligned picture of LOOK_PX was made for, and no neighbour's."""
    x, y, width, height = face.box
    return 0 < LOOK_PX / 2 - x < width and 0 < LOOK_PX * 0.6 - y < height


def _mapped(face: Face, transform: Transform) -> Face:
    x, y, width, height = face.box
    corners = np.array([(x, y), (x + width, y), (x, y + height), (x + width, y + height)])
    corners = corners @ transform[:, :2].T + transform[:, 2]
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    landmarks = face.landmarks @ transform[:, :2].T + transform[:, 2]
    return replace(face, box=(left, top, right - left, bottom - top), landmarks=landmarks)


def _slant(face: Face) -> float:
    """Radians from upright, by the line from between the eyes to between the mouth corners."""
    x, y = face.landmarks[3:].mean(axis=0) - face.landmarks[:2].mean(axis=0)
    return math.atan2(-x, y)
