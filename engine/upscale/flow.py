"""One picture from file to file: decode, enlarge by the network, resize to what was asked, encode.

The network enlarges fourfold, always. What is asked beyond that is done by Lanczos: a second pass would cost sixteen
times the first one, and what it finds to sharpen is what the first pass made up. What is asked below it is reduced
from four times: an input reduced before the network would lose real detail to save time.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from engine.faces.decode import decode
from engine.faces.encode import encode
from engine.faces.picture import Picture, Pixels
from engine.faces.resize import REDUCING_GAP
from engine.upscale.colours import grey_again, is_grey, settle_colours, spread_rgb
from engine.upscale.framing import Framing
from engine.upscale.network import SCALE, Network
from engine.upscale.options import Enhanced, Options
from engine.upscale.pace import check_pace
from engine.upscale.tiles import enlarge

__all__ = ["Flow"]

# Pixels repeated around the picture: to the network all is black beyond the edge, and what it draws there shows it.
# Wider rims than 4 px are no better.
RIM: Final = 4
DECODED, ENLARGED, RESIZED, DONE = 1, 97, 98, 100  # percent, from measured times

OnProgress = Callable[[int], None]
Box = tuple[float, float, float, float]  # left, top, right, bottom


class Flow:
    """The network, opened once. `run` may be called from several threads."""

    def __init__(self, *, threads: int, time_limit_s: float | None) -> None:
        self._network = Network(threads=threads)
        self._time_limit_s = time_limit_s

    def run(self, source: Path, target: Path, options: Options, on_progress: OnProgress) -> Enhanced:
        picture = decode(source)
        framing = Framing.of(picture.width, picture.height, options)
        on_progress(DECODED)
        if framing.is_larger:
            rgb, alpha = self._upscale(source.name, picture, framing, on_progress)
        else:
            rgb, alpha = _resize(_image(picture), framing)
        on_progress(RESIZED)
        encode(target, rgb, alpha, form=options.output_format, icc=picture.icc, exif=picture.exif)
        on_progress(DONE)
        return Enhanced(
            input_width=picture.width,
            input_height=picture.height,
            input_format=picture.format,
            output_width=framing.width,
            output_height=framing.height,
            warnings=tuple(_warnings(picture, framing)),
        )

    def _upscale(
        self, name: str, picture: Picture, framing: Framing, on_progress: OnProgress
    ) -> tuple[Pixels, Pixels | None]:
        left, top, right, bottom = framing.window
        rgb = np.pad(spread_rgb(picture)[top:bottom, left:right], ((RIM, RIM), (RIM, RIM), (0, 0)), mode="edge")
        began = time.monotonic()

        def on_tile(share: float) -> None:
            on_progress(DECODED + int(share * (ENLARGED - DECODED)))
            if self._time_limit_s is not None:
                check_pace(name, elapsed_s=time.monotonic() - began, share=share, limit_s=self._time_limit_s)

        enlarged = enlarge(rgb, self._network.run, on_tile)
        settle_colours(enlarged, rgb)
        if is_grey(rgb):
            enlarged = grey_again(enlarged)
        resized = _resample(Image.fromarray(enlarged), framing, framing.box(SCALE, RIM))
        if picture.alpha is None:
            return np.asarray(resized), None
        alpha = Image.fromarray(picture.alpha).crop(framing.window)
        return np.asarray(resized), np.asarray(_resample(alpha, framing, framing.box()))


def _image(picture: Picture) -> Image.Image:
    image = Image.fromarray(picture.rgb)
    if picture.alpha is not None:
        image.putalpha(Image.fromarray(picture.alpha))
    return image


def _resize(image: Image.Image, framing: Framing) -> tuple[Pixels, Pixels | None]:
    """Without the network; the colour of transparent pixels does not bleed into visible ones."""
    resized = _resample(image.crop(framing.window), framing, framing.box())
    if resized.mode == "RGB":
        return np.asarray(resized), None
    return np.asarray(resized.convert("RGB")), np.asarray(resized.getchannel("A"))


def _resample(image: Image.Image, framing: Framing, box: Box) -> Image.Image:
    """Bring what lies within `box` to the size of the output: Lanczos."""
    size = (framing.width, framing.height)
    return image.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=REDUCING_GAP)


def _warnings(picture: Picture, framing: Framing) -> Iterator[str]:
    if picture.pages > 1:
        yield f"the file holds {picture.pages} pictures; only the first was upscaled"
    if not framing.is_larger:
        yield "the output is no larger than the input; the picture was only resized"
    elif framing.scale > SCALE:
        yield f"the output is more than {SCALE} times as large as the input; the rest was done without the network"
