"""One picture from file to file: decode, detect, align, restore, blend, grain, encode."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from engine.faces.align import Transform, compose, crop_aligned, scale_of, to_template
from engine.faces.blend import Patch, paste, settle_colour
from engine.faces.boxes import faces_in_boxes
from engine.faces.decode import decode
from engine.faces.detect import Detector, Face
from engine.faces.encode import encode
from engine.faces.face_model import FaceModel
from engine.faces.grain import add_grain
from engine.faces.options import FaceFound, Options, Restored
from engine.faces.picture import Pixels, visible_rgb
from engine.faces.resize import checked_output_size, resize
from engine.faces.slant import find_faces

__all__ = ["Flow"]

BATCH: Final = 8  # faces in the model at once: memory stays flat however many a picture holds
LARGE_FACE_PX: Final = 512  # the contract's model page: "works best ... where the face is less than 512 x 512"
DECODED, DETECTED, RESTORED, GRAINED, DONE = 10, 35, 85, 90, 100  # percent, from measured times


class Flow:
    """Both networks, opened once. `run` may be called from several threads."""

    def __init__(self, *, threads: int, providers: Sequence[str]) -> None:
        self._detector = Detector(threads=threads, providers=providers)
        self._model = FaceModel(threads=threads, providers=providers)

    def run(self, source: Path, target: Path, options: Options, on_progress: Callable[[int], None]) -> Restored:
        picture = decode(source)
        width, height = checked_output_size(picture.width, picture.height, options.output_width, options.output_height)
        on_progress(DECODED)
        visible = visible_rgb(picture)
        faces = self._faces(visible, options)
        on_progress(DETECTED)
        canvas, alpha = resize(picture.rgb, picture.alpha, width, height)
        for share in self._restore_faces(canvas, visible, faces, options.strength):
            on_progress(DETECTED + int(share * (RESTORED - DETECTED)))
        if options.grain is not None:
            add_grain(canvas, options.grain, options.seed)
        on_progress(GRAINED)
        encode(target, canvas, alpha, form=options.output_format, icc=picture.icc, exif=picture.exif)
        on_progress(DONE)
        return Restored(
            input_width=picture.width,
            input_height=picture.height,
            input_format=picture.format,
            output_width=width,
            output_height=height,
            faces=tuple(FaceFound(box=face.box, score=face.score) for face in faces),
            warnings=tuple(_warnings(faces, picture.pages)),
        )

    def _faces(self, rgb: Pixels, options: Options) -> list[Face]:
        if options.boxes is None:
            return find_faces(self._detector, rgb)
        return faces_in_boxes(self._detector, rgb, options.boxes)

    def _restore_faces(self, canvas: Pixels, source: Pixels, faces: Sequence[Face], strength: float) -> Iterator[float]:
        """Restore into `canvas`, batch by batch; yields the share of faces that are done."""
        if strength <= 0:
            return
        for start in range(0, len(faces), BATCH):
            transforms = [to_template(face.landmarks, self._model.size_px) for face in faces[start : start + BATCH]]
            aligned = np.stack([crop_aligned(source, each, self._model.size_px) for each in transforms])
            restored = self._model.restore(aligned)
            for before, after, transform in zip(aligned, restored, transforms, strict=True):
                patch = Patch(
                    restored=settle_colour(after, before),
                    aligned=before,
                    transform=compose(_from_output(canvas, source), transform),
                    weight=strength,
                    detail=_detail(transform),
                )
                paste(canvas, patch)
            yield min(1.0, (start + BATCH) / len(faces))


def _detail(transform: Transform) -> float:
    """How much of the input's finest detail is added back: none for faces of half the model's size and below, where
    it is mostly damage; all of it from the model's size up, where the model would make a sharp face blurrier.
    """
    return min(1.0, max(0.0, 2 / scale_of(transform) - 1))


def _from_output(canvas: Pixels, source: Pixels) -> Transform:
    """From pixels of the output to those of the input."""
    x, y = source.shape[1] / canvas.shape[1], source.shape[0] / canvas.shape[0]
    return np.array([[x, 0, 0], [0, y, 0]])


def _warnings(faces: Sequence[Face], pages: int) -> Iterator[str]:
    if pages > 1:
        yield f"the file holds {pages} pictures; only the first was restored"
    if not faces:
        yield "no face was found; the picture was only resized"
    largest = max((max(face.box[2:]) for face in faces), default=0)
    if largest > LARGE_FACE_PX:
        yield (
            f"the largest face is {largest:.0f} px; this model works best below {LARGE_FACE_PX} px:"
            " for larger images the model page recommends Detail Faces"
        )
