"""Faces that a submit gives itself: which are refused, how much work they are, how they are kept. Pure.

Each is cut out, restored and blended in whether there is a face or not, so a short text can ask for much work.
"""

from collections.abc import Sequence

from engine.job.parameters import Box
from engine.service.refusal import Refusal

__all__ = ["check_faces", "face_work", "packed"]

_MEGAPIXEL = 1_000_000
# Of a box, beside what every face takes: one of 12 megapixels takes as long as 35 to 40 of 256 x 256 pixels (2.2 s to
# 0.06 s, measured on one core of the machine of bench/README.md).
_FACES_A_MEGAPIXEL = 3.0
# Faces lie side by side: together they cover less than the picture. Four times is room for boxes with wide margins.
_MOST_OF_PICTURE = 4.0


def check_faces(boxes: Sequence[Box], width: int, height: int) -> None:
    """Raise Refusal with 422 when `boxes` lie on top of each other, in a picture of `width` x `height` pixels."""
    covered = sum(_covered(box, width, height) for box in boxes) / (width * height)
    if covered > _MOST_OF_PICTURE:
        raise Refusal(
            422,
            f"iai_packed_metadata: the {len(boxes)} boxes cover {covered:.0f} times the picture, "
            f"at most {_MOST_OF_PICTURE:.0f} times is taken: one box for each face",
        )


def face_work(boxes: Sequence[Box], width: int, height: int) -> float:
    """Return the work in `boxes`, 1 for a small one, in a picture of `width` x `height` pixels."""
    megapixels = sum(_covered(box, width, height) for box in boxes) / _MEGAPIXEL
    return round(len(boxes) + _FACES_A_MEGAPIXEL * megapixels, 1)


def packed(boxes: Sequence[Box]) -> list[float]:
    """Return five numbers a face, whole ones without their `.0`: what `iai_packed_metadata` takes, in few bytes."""
    numbers = (number for box in boxes for number in (box.x, box.y, box.width, box.height, box.score))
    return [int(number) if number.is_integer() else number for number in numbers]


def _covered(box: Box, width: int, height: int) -> float:
    """Return the pixels of the picture that lie in `box`."""
    across = min(box.x + box.width, width) - max(box.x, 0.0)
    down = min(box.y + box.height, height) - max(box.y, 0.0)
    return max(0.0, across) * max(0.0, down)
