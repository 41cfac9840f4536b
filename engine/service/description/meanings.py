"""What each field of a form or an estimate means, and each member of a status row, in a sentence."""

from engine.job.parameters import MAX_FACES
from engine.service.submit import MAX_OPTIONS_BYTES

__all__ = ["MEANINGS", "ROW_MEANINGS"]

MEANINGS = {
    "image": "The picture itself: JPEG, PNG or TIFF. Its filename comes back in the status row.",
    "source_url": "An address from which the service fetches the picture before it answers; a presigned link of its "
    "own will do.",
    "source_id": "A picture that this key sent before, as long as it is kept.",
    "filename": "The name for the status row where no `image` brings one. This service's own; others ignore it.",
    "webhook_url": "Where each change of status is posted to.",
    "model": "Which model does the work.",
    "category": "The model's family.",
    "strength": "How strongly noise is removed, 0 to 1.",
    "grain": "Whether film grain is added at the end.",
    "grain_model": "How the grain is drawn.",
    "grain_density": "How dense the grain lies, 0 to 1.",
    "grain_size": "How coarse the grain is, 1 to 5.",
    "grain_strength": "How visible the grain is, 0 to 1.",
    "iai_packed_metadata": "Faces found elsewhere, instead of a search: five numbers a face, `x, y, width, height` "
    "in input pixels from the top left and a `score` from 0 to 1, as JSON text; or the text of a list of "
    '`{"box": [x, y, width, height], "score": s}`. '
    f"At most {MAX_FACES} faces, which together cover the picture no more than 4 times; all settings together take at "
    f"most {MAX_OPTIONS_BYTES // 1024} KB.",
    "input_width": "Width of the input in pixels.",
    "input_height": "Height of the input in pixels.",
    "output_width": "Width of the output in pixels. With only one side given the aspect is kept; with none, the size.",
    "output_height": "Height of the output in pixels.",
    "crop_to_fill": "Where both output sides are given: cut off what sticks out, instead of fitting inside.",
    "output_format": "The file format of the output; `jpg` means `jpeg` and `tif` means `tiff`.",
    "reference_uri": "Address of a picture of the same face. Accepted and not used by this service's model.",
}

ROW_MEANINGS = {
    "process_id": "Names the job in every other call.",
    "source_id": "Names the input for a later submit.",
    "filename": "As it was uploaded, or as the field `filename` said.",
    "input_format": "What the input is: `jpeg`, `png` or `tiff`.",
    "input_width": "In pixels, of the upright picture.",
    "input_height": "In pixels, of the upright picture.",
    "output_format": "What the output is or will be.",
    "output_width": "In pixels.",
    "output_height": "In pixels.",
    "category": "The model's family.",
    "model_type": "How the model works.",
    "model": "Which model does the work.",
    "crop_to_fill": "Whether the output is cut to its size.",
    "options_json": "The settings, as the text of a JSON object.",
    "status": "Where the job is; the last three are final.",
    "progress": "In percent.",
    "eta": "When it will be done, or was: Unix seconds.",
    "creation_time": "When it was accepted: Unix seconds.",
    "modification_time": "When its status last changed: Unix seconds.",
    "credits": "Charged so far: 0 until the job is completed.",
    "faces": "Of a completed job: how many faces were restored.",
    "warnings": "Of a completed job: what it did without.",
    "output_sha256": "Of a completed job: the SHA-256 of the output, in hex.",
    "output_bytes": "Of a completed job: the size of the output.",
    "message": "Of a failed job: why.",
}
