"""What of a file's EXIF goes into the output: what was told about the picture, not how its pixels were stored."""

from typing import Final

from PIL import ExifTags, Image, TiffImagePlugin

__all__ = ["kept_exif", "orientation", "without_groups"]

TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# A TIFF keeps its strips, sizes and compression in the same directory, and these must not reach another file.
KEPT: Final = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
    ExifTags.Base.XPTitle,
    ExifTags.Base.XPComment,
    ExifTags.Base.XPAuthor,
    ExifTags.Base.XPKeywords,
    ExifTags.Base.XPSubject,
)
KEPT_GROUPS: Final = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# Stale in any output: sizes of the old pixels, a table of byte offsets in the old file, a pointer to a left-out group.
DROPPED: Final = (
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
    ExifTags.Base.MakerNote,
    ExifTags.Base.ExifInteroperabilityOffset,
)
MAX_EXIF_BYTES: Final = 65_000  # a JPEG segment holds 65,533 with its headers


def orientation(image: Image.Image) -> Image.Transpose | None:
    """The turn that brings the picture upright; None if it is, or if its EXIF can't be read.

    EXIF alone counts, as it does for whoever reads only the header; Pillow's own getexif() looks into XMP too.
    """
    try:
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            return TURNS.get(image.tag_v2.get(ExifTags.Base.Orientation, 1))
        exif = Image.Exif()
        exif.load(image.info.get("exif", b""))
        return TURNS.get(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever is wrong with the EXIF, the pixels are still a picture
        return None


def kept_exif(image: Image.Image) -> bytes | None:
    """EXIF for the output: upright, no thumbnail. None if there is nothing to keep, or it is broken."""
    try:
        old, new = image.getexif(), Image.Exif()
        new.update({tag: old[tag] for tag in KEPT if tag in old})
        for group in KEPT_GROUPS:
            entries = {tag: value for tag, value in old.get_ifd(group).items() if tag not in DROPPED}
            if entries:
                new[group] = entries
        if not len(new):
            return None
        new[ExifTags.Base.Orientation] = 1
        encoded = new.tobytes()
    except Exception:  # broken EXIF is no reason to refuse a sound picture
        return None
    return encoded if len(encoded) <= MAX_EXIF_BYTES else None


def without_groups(exif: bytes) -> bytes:
    """`exif` without its sub-directories: libtiff refuses to write them into a compressed TIFF."""
    kept = Image.Exif()
    kept.load(exif)
    for group in KEPT_GROUPS:
        kept.pop(group, None)
    return kept.tobytes()
