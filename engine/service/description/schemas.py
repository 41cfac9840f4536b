"""The shapes of what is sent and answered, as JSON Schema. What the code checks by pydantic is derived from it."""

from engine.job.parameter_set import ParameterSet
from engine.journal.line import Record
from engine.service.description.meanings import MEANINGS, ROW_MEANINGS
from engine.service.estimate import MAX_BULK, Question
from engine.service.job_state import Status
from engine.service.route import SERVED

__all__ = ["PROCESS_ID", "form_of", "schemas"]

PROCESS_ID = "7f2c8f0e-53a7-4d39-9d0c-0f5b2f0f6a11"
_MODELS = [route.model for route in SERVED.values()]
_CATEGORIES = [route.category for route in SERVED.values()]
_SOURCES = ("image", "source_url", "source_id")
_TEXT: Record = {"type": "string"}
_COUNT: Record = {"type": "integer", "minimum": 0}
_TIME: Record = {"type": "number", "description": "Unix seconds."}
_LINK: Record = {"type": "string", "format": "uri"}


def schemas() -> Record:
    """Return every named schema."""
    forms = {form_of(name): _form(route.settings) for name, route in SERVED.items()}
    return {
        "Error": _object(code=_COUNT, message={**_TEXT, "description": "One line that says what is wrong."}),
        **forms,
        "Accepted": _object(process_id=_ref("ProcessId"), source_id=_TEXT, eta=_TIME),
        "ProcessId": {"type": "string", "format": "uuid", "examples": [PROCESS_ID]},
        "Status": {"type": "string", "enum": [status.value for status in Status]},
        "Row": _row(),
        "Page": _object(
            data={"type": "array", "items": _ref("Row")},
            pagination=_object(next_cursor={"type": ["string", "null"]}, has_next_page={"type": "boolean"}),
        ),
        "Links": _object(download_url=_LINK, head_url=_LINK, expiry={**_COUNT, "description": "Unix seconds."}),
        "Deleted": _object(deleted_count=_COUNT),
        "Balance": _object(available_credits=_COUNT, reserved_credits=_COUNT, total_credits=_COUNT),
        "Question": _question(),
        "Questions": {"type": "array", "maxItems": MAX_BULK, "items": _ref("Question")},
        "Estimate": _object(duration={"type": "number", "minimum": 0}, credits={"type": "integer", "minimum": 1}),
        "BulkAnswer": {"oneOf": [_priced(), _unpriced()]},
        "Health": _object(status={"const": "ok"}),
        "Notice": _notice(),
    }


def form_of(route: str) -> str:
    """Return the name of the schema of the form that a submit route takes."""
    return f"{SERVED[route].category}Form"


def _ref(name: str) -> Record:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**members: Record) -> Record:
    return {"type": "object", "required": list(members), "properties": members}


def _form(parameters: type[ParameterSet]) -> Record:
    """Return the form of one model: where the picture comes from, and the model's parameters."""
    names = (*_SOURCES, "filename", "webhook_url")
    envelope: Record = {name: {**_ENVELOPE[name], "description": MEANINGS[name]} for name in names}
    model = {"type": "string", "enum": [parameters.model], "description": MEANINGS["model"]}
    return {
        "type": "object",
        "required": ["model"],
        "oneOf": [{"required": [name]} for name in _SOURCES],
        "properties": {"model": model, **envelope, **_properties(parameters)},
    }


_ENVELOPE: Record = {
    "image": {"type": "string", "contentMediaType": "application/octet-stream"},
    "source_url": {"type": "string", "format": "uri", "pattern": "^https?://"},
    "source_id": {"type": "string", "minLength": 1},
    "filename": {"type": "string", "minLength": 1, "maxLength": 1024},
    "webhook_url": {"type": "string", "format": "uri", "pattern": "^https?://"},
}


def _properties(model: type[ParameterSet | Question]) -> Record:
    """Return the members of a pydantic model, without null: a form can't carry it, and absence says the same."""
    whole = model.model_json_schema()
    kinds = whole.get("$defs", {})
    members = {name: _plain(shape, kinds) for name, shape in whole["properties"].items()}
    if "iai_packed_metadata" in members:  # a list in the model, its text in a form
        members["iai_packed_metadata"] = {"type": "string", "examples": ["[120, 80, 64, 64, 0.98]"]}
    return {name: {**shape, "description": MEANINGS[name]} for name, shape in members.items()}


def _plain(shape: Record, kinds: Record) -> Record:
    """Return `shape` with its definition in place and without titles, null and a default of null."""
    if "anyOf" in shape:
        shape = {**shape, **next(each for each in shape["anyOf"] if each.get("type") != "null")}
    if "$ref" in shape:
        shape = {**shape, **kinds[shape["$ref"].rpartition("/")[2]]}
    dropped = {"anyOf", "$ref", "title", "description"} | ({"default"} if shape.get("default", "") is None else set())
    return {name: value for name, value in shape.items() if name not in dropped}


def _question() -> Record:
    """Return an estimate's question, where null says the same as absence."""
    members = _properties(Question)
    members["model"]["enum"] = _MODELS
    members["category"]["enum"] = _CATEGORIES
    required = [name for name, field in Question.model_fields.items() if field.is_required()]
    shapes = {name: shape if name in required else _nullable(shape) for name, shape in members.items()}
    return {"type": "object", "required": required, "properties": shapes}


def _nullable(shape: Record) -> Record:
    values = {"enum": [*shape["enum"], None]} if "enum" in shape else {}
    return {**shape, "type": [shape["type"], "null"], **values}


def _priced() -> Record:
    return _object(
        status={"const": "success"},
        duration={"type": "number", "minimum": 0},
        credits={"type": "integer", "minimum": 1},
    )


def _unpriced() -> Record:
    return _object(status={"const": "error"}, code=_COUNT, message=_TEXT)


def _row() -> Record:
    required = _object(
        process_id=_ref("ProcessId"),
        filename=_TEXT,
        input_format=_TEXT,
        input_height=_COUNT,
        input_width=_COUNT,
        output_format=_TEXT,
        output_height=_COUNT,
        output_width=_COUNT,
        category={"enum": _CATEGORIES},
        model_type=_TEXT,
        model={"enum": _MODELS},
        crop_to_fill={"type": "boolean"},
        status=_ref("Status"),
        progress={"type": "integer", "minimum": 0, "maximum": 100},
        eta=_TIME,
        creation_time=_TIME,
        modification_time=_TIME,
        credits=_COUNT,
    )
    members = {**required["properties"], **_ROW_EXTRAS}
    told = {name: {**shape, "description": ROW_MEANINGS[name]} for name, shape in members.items()}
    return {**required, "properties": told}


# What a row need not have: two members of the contract's, and those that only this service tells.
_ROW_EXTRAS: Record = {
    "source_id": _TEXT,
    "options_json": _TEXT,
    "faces": _COUNT,
    "warnings": {"type": "array", "items": _TEXT},
    "output_sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "output_bytes": _COUNT,
    "message": _TEXT,
}


def _notice() -> Record:
    whole = _object(
        notification_id={**_TEXT, "description": "A ULID: notices of one job sort by it."},
        process_id=_ref("ProcessId"),
        status=_ref("Status"),
        creation_time=_TIME,
        modification_time=_TIME,
        progress={"type": "integer", "minimum": 0, "maximum": 100},
        input_download_url=_LINK,
        input_head_url=_LINK,
    )
    return {**whole, "properties": {**whole["properties"], "download_url": _LINK, "head_url": _LINK}}
