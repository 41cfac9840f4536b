"""Faces whose boxes the caller gives: checked, and their landmarks found."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from engine.errors import InputError
from engine.faces.detect import Detector, Face
from engine.faces.options import Box
from engine.faces.picture import Pixels
from engine.faces.slant import straightened

__all__ = ["faces_in_boxes"]

# Where landmarks lie in a box as shares of its sides (x, y): the mean of CenterFace's own answers on portraits.
USUAL_LANDMARKS: Final = np.array([(0.26, 0.39), (0.74, 0.39), (0.50, 0.585), (0.29, 0.735), (0.71, 0.735)])
LOOK_SIDE_PX: Final = 160  # what the face's longer side is scaled to: where the detector is at its best
MAX_LOOK_SCALE: Final = 16.0  # of a face of 10 px; a smaller one has nothing to show at a larger scale
MIN_BOX_PX: Final = 4
MIN_SCORE: Final = 0.2  # the caller says that a face is there; the detector need not be sure


def faces_in_boxes(detector: Detector, rgb: Pixels, boxes: Sequence[Box]) -> list[Face]:
    """One face for each box, with the box and score as given. InputError names a box that can't hold one."""
    height, width = rgb.shape[:2]
    bounded = [_bounded(box, number, width, height) for number, box in enumerate(boxes, 1)]
    return [_face(detector, rgb, box) for box in bounded]


def _bounded(box: Box, number: int, width: int, height: int) -> Box:
    """The box as far as it reaches no further out of the picture than a face cut by the border does."""
    label = f"face box {number} ({box.x:g}, {box.y:g}, {box.width:g} x {box.height:g})"
    if not np.isfinite([box.x, box.y, box.width, box.height]).all():
        raise InputError(f"{label} holds a value that is not a number")
    if box.width <= 0 or box.height <= 0:
        raise InputError(f"{label} has no area; width and height must be positive")
    outside = box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0
    if outside:
        raise InputError(f"{label} lies outside the picture of {width} x {height} pixels")
    left, top = max(box.x, -width / 2), max(box.y, -height / 2)
    right, bottom = min(box.x + box.width, width * 1.5), min(box.y + box.height, height * 1.5)
    if right - left < MIN_BOX_PX or bottom - top < MIN_BOX_PX:
        raise InputError(f"{label} is too small for a face; both sides must be at least {MIN_BOX_PX} pixels")
    return replace(box, x=left, y=top, width=right - left, height=bottom - top)


def _face(detector: Detector, rgb: Pixels, box: Box) -> Face:
    area = (box.x, box.y, box.width, box.height)
    found = _look_around(detector, rgb, box)
    usual = USUAL_LANDMARKS * (box.width, box.height) + (box.x, box.y)
    return Face(box=area, score=box.score, landmarks=found.landmarks if found else usual)


def _look_around(detector: Detector, rgb: Pixels, box: Box) -> Face | None:
    """The detector's best hit about the size of the box whose middle is in it, in coordinates of the picture."""
    left, top = (max(0, int(low)) for low in (box.x - box.width / 2, box.y - box.height / 2))
    right, bottom = int(box.x + box.width * 1.5) + 1, int(box.y + box.height * 1.5) + 1
    crop = np.ascontiguousarray(rgb[top:bottom, left:right])
    hits = detector.look(crop, min(MAX_LOOK_SCALE, LOOK_SIDE_PX / max(box.width, box.height)), MIN_SCORE)
    moved = (hit.moved(left, top) for hit in hits)
    best = next((hit for hit in moved if _is_same(hit, box)), None)
    return best and straightened(detector, rgb, best)


def _is_same(face: Face, box: Box) -> bool:
    x, y, width, height = face.box
    in_box = 0 <= x + width / 2 - box.x <= box.width and 0 <= y + height / 2 - box.y <= box.height
    return in_box and 0.25 < width * height / (box.width * box.height) < 4
