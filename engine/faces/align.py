"""From five landmarks to the aligned face the model expects, and back.

Coordinates are continuous: pixel (0, 0) covers 0..1, its middle is 0.5. A `Transform` maps (x, y) to
`matrix @ (x, y, 1)`.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from engine.faces.picture import Pixels

__all__ = [
    "TEMPLATE_512",
    "Transform",
    "compose",
    "crop_aligned",
    "invert",
    "scale_of",
    "similarity",
    "to_template",
    "warp",
]

Points = npt.NDArray[np.float64]  # n x 2
Transform = npt.NDArray[np.float64]  # 2 x 3

# Eyes, nose tip and mouth corners (left ones of the viewer first) in a 512 x 512 face: the common template of
# aligned face data sets, so that third-party 512 models fit.
TEMPLATE_512: Final[Points] = np.array(
    [(192.98, 239.95), (318.90, 240.19), (256.63, 314.02), (201.26, 371.41), (313.09, 371.15)]
)


def similarity(source: Points, target: Points) -> Transform:
    """The rotation, even scale and shift that bring `source` nearest to `target` in the least squares sense.

    Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
    Never mirrors. Points that all coincide have no scale: ValueError.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_centred, target_centred = source - source_mean, target - target_mean
    variance = (source_centred**2).sum() / len(source)
    if not variance > 0:
        raise ValueError("landmarks coincide")
    u, singular, vt = np.linalg.svd(target_centred.T @ source_centred / len(source))
    sign = np.array([1.0, math.copysign(1.0, np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = (singular * sign).sum() / variance
    return np.column_stack([scale * rotation, target_mean - scale * rotation @ source_mean])


def to_template(landmarks: Points, size_px: int) -> Transform:
    """From picture coordinates to those of an aligned face of `size_px`."""
    return similarity(landmarks, TEMPLATE_512 * (size_px / 512))


def compose(first: Transform, then: Transform) -> Transform:
    """The transform that does `first`, and `then` the other."""
    return (_square(then) @ _square(first))[:2]


def invert(transform: Transform) -> Transform:
    """Raises numpy.linalg.LinAlgError for a transform that flattens the plane."""
    inverse: Transform = np.linalg.inv(_square(transform)).astype(np.float64)
    return inverse[:2]


def crop_aligned(rgb: Pixels, transform: Transform, size_px: int) -> Pixels:
    """The aligned face, size_px x size_px x 3. What lies beyond the picture repeats its border."""
    corners = np.array([(0, 0), (size_px, 0), (0, size_px), (size_px, size_px)], float)
    back = invert(transform)
    reach = corners @ back[:, :2].T + back[:, 2]
    margin = 3 / scale_of(transform) + 3  # what the widest kernel below looks at
    left, top = np.floor(reach.min(axis=0) - margin).astype(int)
    right, bottom = np.ceil(reach.max(axis=0) + margin).astype(int)
    # What lies within the picture, shrunk by a whole factor first: then the region is small, however far it reaches.
    factor = max(1, int(1 / scale_of(transform) + 1e-6))
    x, y = (int(np.clip(low, 0, side - 1)) for low, side in zip((left, top), rgb.shape[1::-1], strict=True))
    inner = Image.fromarray(np.ascontiguousarray(rgb[y : max(y + 1, bottom), x : max(x + 1, right)])).reduce(factor)
    begin_x, begin_y = (left - x) // factor, (top - y) // factor
    end_x, end_y = -((x - right) // factor), -((y - bottom) // factor)
    region = _crop_repeating_border(np.asarray(inner), begin_x, begin_y, end_x, end_y)
    shift = np.array([[factor, 0.0, x + begin_x * factor], [0.0, factor, y + begin_y * factor]])
    return np.asarray(warp(Image.fromarray(region), compose(shift, transform), (size_px, size_px)))


def warp(image: Image.Image, transform: Transform, size: tuple[int, int]) -> Image.Image:
    """`image` under `transform`, as a picture of `size` (width, height). Beyond the image it is black.

    Shrinks by whole factors first: the bicubic kernel of an affine warp reads 4 x 4 pixels however far apart
    they land, so that a strong shrink would alias.
    """
    factor = int(1 / scale_of(transform) + 1e-6)
    if factor > 1:
        image = image.reduce(factor)
        transform = compose(np.array([[factor, 0, 0], [0, factor, 0]], float), transform)
    coefficients = tuple(invert(transform).ravel())
    return image.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)


def scale_of(transform: Transform) -> float:
    """How many times longer the transform makes a line, on average over directions."""
    return math.sqrt(abs(np.linalg.det(transform[:, :2])))


def _square(transform: Transform) -> npt.NDArray[np.float64]:
    return np.vstack([transform, (0, 0, 1)])


def _crop_repeating_border(rgb: Pixels, left: int, top: int, right: int, bottom: int) -> Pixels:
    height, width = rgb.shape[:2]
    rows = np.clip(np.arange(top, bottom), 0, height - 1)
    columns = np.clip(np.arange(left, right), 0, width - 1)
    if rows[0] == top and rows[-1] == bottom - 1 and columns[0] == left and columns[-1] == right - 1:
        return np.ascontiguousarray(rgb[top:bottom, left:right])
    return rgb[rows[:, None], columns[None, :]]
