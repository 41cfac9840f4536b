"""How much work there is in jobs, as far as their sizes tell, whoever does them and however fast. Pure.

Not in seconds: what was queued before the pace is known is then foretold as well as what comes after.
"""

from dataclasses import dataclass

__all__ = ["Work", "work_of"]

_MEGAPIXEL = 1_000_000
_ENHANCE = "enhance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a number of jobs of one route (`restore-gen`, `enhance`) have to go through.

    `face_work`: in faces that were given with them (`engine.service.given_faces`); those that will be found are not
    known.
    """

    route: str
    megapixels: float
    jobs: int = 1
    face_work: float = 0.0


def work_of(route: str, input_size: tuple[int, int], output_size: tuple[int, int], face_work: float = 0.0) -> Work:
    """Return the work in one job; sizes are (width, height) in pixels.

    Restoring decodes and searches the input, blends and encodes the output. Enhancing puts every pixel of the input
    through the network, whatever the size asked for: all else is small beside that.
    """
    pixels = input_size[0] * input_size[1]
    if route != _ENHANCE:
        pixels += output_size[0] * output_size[1]
    return Work(route=route, megapixels=pixels / _MEGAPIXEL, face_work=face_work)
