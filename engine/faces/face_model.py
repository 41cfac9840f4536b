"""The network that restores an aligned face. Which one, and how it was made, is told in `weights/README.md`."""

from collections.abc import Sequence
from importlib import resources
from typing import Final

import numpy as np

from engine.faces.picture import Floats, Pixels
from engine.faces.session import open_session

__all__ = ["FaceModel"]

SHIPPED: Final = "face-model-v0.onnx"


class FaceModel:
    """Opened once; `restore` may be called from several threads."""

    def __init__(self, *, threads: int, providers: Sequence[str]) -> None:
        weights = resources.files("engine.faces").joinpath("weights", SHIPPED).read_bytes()
        self._session = open_session(weights, threads=threads, providers=providers)
        first = self._session.get_inputs()[0]
        self._input_name: str = first.name
        self.size_px: int = first.shape[-1]

    def restore(self, faces: Pixels) -> Floats:
        """n x size x size x 3, aligned to the template, 0..255; the answer likewise, as float32."""
        batch = np.ascontiguousarray(faces.transpose(0, 3, 1, 2), np.float32)
        batch /= 255
        (restored,) = self._session.run(None, {self._input_name: batch})
        answer: Floats = restored.transpose(0, 2, 3, 1) * np.float32(255)
        return answer
