"""Turn a received form into a submission: every check of settings, sizes and names. Pure.

Unknown settings are ignored, as the vendor does.
"""

from dataclasses import dataclass

import orjson

from engine.errors import UsageError
from engine.job.parameter_set import ParameterSet
from engine.job.parameters import Box, FaceRecovery
from engine.job.price import credits_for
from engine.picture import Claims
from engine.service.given_faces import check_faces, face_work, packed
from engine.service.output_caps import check_output
from engine.service.refusal import Refusal
from engine.service.route import SERVED, Route, size_of
from engine.service.submission import Submission

__all__ = ["Source", "check", "draft", "settings_of"]

# As they stand in a row and in the journal: 500 faces with the digits that a detector's 32-bit floats have, some 90
# bytes each. A page of 100 rows stays below 5 MB.
MAX_OPTIONS_BYTES = 48 * 1024
MAX_WEBHOOK_CHARS = 2048  # browsers and servers take addresses of about this length
_MESSAGE_CHARS = 500  # a wrong value is quoted, and may be as long as a field can be


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The picture of a submit, wherever it came from; it lies under `source_id`. `new_bytes`: what that took."""

    source_id: str
    filename: str
    head: Claims
    new_bytes: int = 0


def check(route: Route, texts: dict[str, str]) -> ParameterSet:
    """Return the settings in `texts`; raises Refusal: 400 for another model, 422 for a bad setting."""
    model = texts.get("model")
    if model != route.model:
        asked = f"'{model[:64]}' is not served here" if model is not None else "is needed"
        raise Refusal(400, f"model: {asked}; /{route.name}/async serves '{route.model}'")
    try:
        return route.parse(texts)
    except UsageError as error:
        raise Refusal(422, str(error)[:_MESSAGE_CHARS]) from error


def draft(
    route: Route, settings: ParameterSet, source: Source, texts: dict[str, str], *, process_id: str, now: float
) -> Submission:
    """Return the submission that is asked for, not yet numbered, without an owner or an eta.

    Raises Refusal with 422 for an output, faces or options beyond the caps, with 400 for a long `webhook_url`.
    """
    head, boxes = source.head, _boxes(settings)
    check_faces(boxes, head.width, head.height)
    width, height = size_of(settings, head.width, head.height)
    check_output(width, height, 422)
    return Submission(
        process_id=process_id,
        source_id=source.source_id,
        sequence=0,
        filename=source.filename,
        input_format=head.format,
        input_width=head.width,
        input_height=head.height,
        output_format=settings.output_format.canonical.value,
        output_width=width,
        output_height=height,
        options_json=_options(settings),
        price=credits_for(width, height),
        created=now,
        eta=now,
        warnings=_warnings(texts, settings, head),
        route=route.name,
        model=route.model,
        webhook_url=_webhook(texts),
        input_bytes=source.new_bytes,
        face_work=face_work(boxes, head.width, head.height),
    )


def settings_of(submission: Submission) -> ParameterSet:
    """Return the settings that were accepted; raises UsageError for those of another version of this program."""
    route = SERVED.get(submission.route)
    if route is None:
        raise UsageError(f"/{submission.route}/async is not served by this version")
    return route.settings.parse(orjson.loads(submission.options_json))


def _boxes(settings: ParameterSet) -> tuple[Box, ...]:
    return (settings.iai_packed_metadata or ()) if isinstance(settings, FaceRecovery) else ()


def _options(settings: ParameterSet) -> str:
    options = settings.model_dump(mode="json", exclude_unset=True)
    if options.get("iai_packed_metadata"):
        options["iai_packed_metadata"] = packed(_boxes(settings))
    text = orjson.dumps(options).decode()
    size_bytes = len(orjson.dumps(text))  # a row holds the text as a text
    if size_bytes > MAX_OPTIONS_BYTES:
        raise Refusal(
            422, f"the settings take {size_bytes} bytes, at most {MAX_OPTIONS_BYTES} are taken: use fewer digits"
        )
    return text


def _webhook(texts: dict[str, str]) -> str:
    url = texts.get("webhook_url", "")
    if len(url) > MAX_WEBHOOK_CHARS:
        raise Refusal(400, f"webhook_url: more than {MAX_WEBHOOK_CHARS} characters")
    return url


def _warnings(texts: dict[str, str], settings: ParameterSet, head: Claims) -> tuple[str, ...]:
    warnings = []
    if texts.get("reference_uri"):
        warnings.append("reference_uri: this face model does not use a reference picture")
    claimed = (settings.input_width or head.width, settings.input_height or head.height)
    if claimed != (head.width, head.height):
        warnings.append(
            f"input size: {claimed[0]}x{claimed[1]} was announced, the picture is {head.width}x{head.height}"
        )
    return tuple(warnings)
