"""Every hostile picture by name, and which of them are pictures all the same."""

from tests.service.hostile import foreign, jpeg, png, tiff

CASES = {**png.CASES, **jpeg.CASES, **tiff.CASES, **foreign.CASES}
HARMLESS = {*png.HARMLESS, *jpeg.HARMLESS, *tiff.HARMLESS, *foreign.HARMLESS}
