"""What an upload claims to be, or the refusal that it gets for that. Decodes no pixels.

The caps stand before decoding, so a small file that unpacks to gigabytes is refused for what its header says.
"""

from typing import BinaryIO

from engine.errors import InputError
from engine.picture import Claims, OversizedPicture, UnsupportedPicture, read_claims
from engine.service.refusal import Refusal

__all__ = ["read_head"]


def read_head(file: BinaryIO) -> Claims:
    """Return what the header of the open `file` claims. Blocks.

    Raises Refusal: 415 for what is no JPEG, PNG or TIFF, 413 over the caps, 400 for a damaged header.
    """
    try:
        return read_claims(file)
    except UnsupportedPicture as error:
        raise Refusal(415, f"the image {error}") from None
    except OversizedPicture as error:
        raise Refusal(413, f"the image {error}") from None
    except InputError as error:
        raise Refusal(400, f"the image {error}") from None
