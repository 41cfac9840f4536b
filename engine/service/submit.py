"""Turn a received form into a submission: every check of settings, sizes and names. Pure.

Unknown settings are ignored, as the vendor does.
"""

import orjson

from engine.errors import UsageError
from engine.job.parameters import MODEL, FaceRecovery
from engine.job.price import credits_for
from engine.limits import output_size
from engine.picture import Claims
from engine.service.eta import work_units
from engine.service.form import Form
from engine.service.output_caps import check_output
from engine.service.refusal import Refusal
from engine.service.submission import Submission

__all__ = ["draft", "settings_of", "units_of"]

_MESSAGE_CHARS = 500  # a wrong value is quoted, and may be as long as a field can be
_SOURCES = ("source_url", "source_id")


def draft(form: Form, *, process_id: str, source_id: str, now: float) -> Submission:
    """Return the submission that `form` asks for, not yet numbered and without an eta.

    Raises Refusal: 400 for a wrong source or model, 422 for a bad setting.
    """
    filename, head = _picture(form)
    _check_model(form.texts.get("model"))
    settings = _settings(form.texts)
    width, height = _output_size(head, settings)
    return Submission(
        process_id=process_id,
        source_id=source_id,
        sequence=0,
        filename=filename,
        input_format=head.format,
        input_width=head.width,
        input_height=head.height,
        output_format=settings.output_format.canonical.value,
        output_width=width,
        output_height=height,
        options_json=orjson.dumps(settings.model_dump(mode="json", exclude_unset=True)).decode(),
        price=credits_for(width, height),
        created=now,
        eta=now,
        warnings=_warnings(form.texts, settings, head),
    )


def settings_of(submission: Submission) -> FaceRecovery:
    """Return the settings that were accepted."""
    return FaceRecovery.parse(orjson.loads(submission.options_json))


def units_of(submission: Submission) -> float:
    """Return the work in the job, for the eta."""
    return work_units(submission.output_width, submission.output_height)


def _picture(form: Form) -> tuple[str, Claims]:
    given = [name for name in _SOURCES if name in form.texts]
    if form.filename is None or form.head is None:
        if given:
            raise Refusal(400, f"{given[0]}: not supported by this service yet; send the picture as 'image'")
        raise Refusal(400, "one of image, source_url, source_id is needed")
    if given:
        raise Refusal(400, f"exactly one of image, source_url, source_id: image and {given[0]} were given")
    return form.filename, form.head


def _check_model(model: str | None) -> None:
    if model != MODEL:
        asked = f"'{model[:64]}' is not known to this service" if model is not None else "is needed"
        raise Refusal(400, f"model: {asked}; it knows '{MODEL}'")


def _settings(texts: dict[str, str]) -> FaceRecovery:
    try:
        return FaceRecovery.parse({name: text for name, text in texts.items() if name in FaceRecovery.model_fields})
    except UsageError as error:
        raise Refusal(422, str(error)[:_MESSAGE_CHARS]) from error


def _output_size(head: Claims, settings: FaceRecovery) -> tuple[int, int]:
    width, height = output_size(head.width, head.height, settings.output_width, settings.output_height)
    check_output(width, height, 422)
    return width, height


def _warnings(texts: dict[str, str], settings: FaceRecovery, head: Claims) -> tuple[str, ...]:
    warnings = []
    if settings.reference_uri:
        warnings.append("reference_uri: this face model does not use a reference picture")
    if texts.get("webhook_url"):
        warnings.append("webhook_url: this service sends no webhooks; poll the status")
    claimed = (settings.input_width or head.width, settings.input_height or head.height)
    if claimed != (head.width, head.height):
        warnings.append(
            f"input size: {claimed[0]}x{claimed[1]} was announced, the picture is {head.width}x{head.height}"
        )
    return tuple(warnings)
