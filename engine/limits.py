"""How large a picture may be, and how large it comes out: said once for engine, service and face model."""

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MAX_SIDE_PX", "fitted_size", "output_size"]

MAX_BYTES = 500_000_000  # the contract answers 413 to a larger request
MAX_SIDE_PX = 32_000  # the contract's limit for a side, in and out
# In and out: where the model page's price table ends; what claims far more is a decompression bomb.
MAX_PIXELS = 100_000_000


def output_size(width: int, height: int, output_width: int | None, output_height: int | None) -> tuple[int, int]:
    """Return (width, height) of the output of a `width` x `height` input, in pixels.

    Neither asked for: the input's own size. One asked for: the aspect is kept, at least 1 pixel.
    """
    if output_width is not None and output_height is not None:
        return output_width, output_height
    if output_width is not None:
        return output_width, max(1, round(height * output_width / width))
    if output_height is not None:
        return max(1, round(width * output_height / height)), output_height
    return width, height


def fitted_size(
    width: int, height: int, output_width: int | None, output_height: int | None, *, crop_to_fill: bool
) -> tuple[int, int]:
    """Return (width, height) of the output of a `width` x `height` input that is never distorted, in pixels.

    As `output_size`, but where both sides are asked for: exactly these if the picture is cropped to fill them, else
    the largest size of the input's aspect that fits inside.
    """
    if output_width is None or output_height is None or crop_to_fill:
        return output_size(width, height, output_width, output_height)
    if output_width * height <= output_height * width:
        return output_size(width, height, output_width, None)
    return output_size(width, height, None, output_height)
