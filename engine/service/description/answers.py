"""What a call may be answered: its success, and the contract's refusals, each with the headers of every answer."""

from engine.journal.line import Record

__all__ = ["HEADERS", "REFUSALS", "empty", "json_answer", "picture", "refusals"]

# Any call with a key may be answered these.
_ANY = (401, 403, 429, 500, 503)

HEADERS: Record = {
    "X-Face-Recovery": {
        "description": "The version of this service; an answer without it comes from somebody else.",
        "required": True,
        "schema": {"type": "string"},
        "example": "0.1.0",
    },
    "X-Request-ID": {
        "description": "Names this one exchange; the service's log has it too.",
        "required": True,
        "schema": {"type": "string"},
        "example": "9f1c2ab47d5e4e0a",
    },
    "Retry-After": {
        "description": "How many seconds to wait before the call is repeated.",
        "schema": {"type": "integer", "minimum": 0},
        "example": 2,
    },
    "X-Process-ID": {
        "description": "`process_id` of the body.",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    },
    "X-Source-ID": {
        "description": "`source_id` of the body.",
        "required": True,
        "schema": {"type": "string"},
    },
    "X-ETA": {
        "description": "`eta` of the body.",
        "required": True,
        "schema": {"type": "number"},
    },
}

# Status: what it means, and an example of its one line.
REFUSALS: dict[int, tuple[str, str]] = {
    400: (
        "Something in the request is wrong; the message names it.",
        "limit: 1000 is not a whole number from 1 to 100",
    ),
    401: ("The key is missing or not known.", "X-API-Key is missing or wrong"),
    402: ("The key's credits do not cover this job.", "the job costs 5 credits and 2 are available"),
    403: ("The key is suspended.", "this key is suspended"),
    404: (
        "No such job: never accepted, another key's, deleted, or older than the service keeps.",
        "no job has this id",
    ),
    408: ("The body came too slowly and was given up.", "the upload is slower than 1000 bytes a second"),
    409: ("Not in the job's present status.", "the job is Processing; there is nothing to download"),
    413: ("The request, one of its fields or the picture is too large.", "the request is larger than 500000000 bytes"),
    415: (
        "The picture is no JPEG, PNG or TIFF, or the body is packed or no multipart form.",
        "the body must be multipart/form-data",
    ),
    422: ("A setting of the model has a wrong value.", "strength: 2 is not a number from 0.0 to 1.0"),
    429: ("Too many calls, unfinished jobs or stored bytes for this key; nothing was accepted.", "too many requests"),
    500: ("A fault of the service; its log says more.", "internal error; the service's log says more"),
    503: ("The service can't work just now: its disk failed, or it is stopping.", "the service is stopping"),
}


def refusals(*statuses: int) -> Record:
    """Return the refusals of a call that needs a key: those that any such call has, and `statuses`."""
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted({*_ANY, *statuses})}


def refusal(status: int) -> Record:
    """Return one refusal as the description's components have it."""
    meaning, message = REFUSALS[status]
    example = {"code": status, "message": message}
    return json_answer(meaning, "Error", example, ("Retry-After",) if status in (429, 503) else ())


def json_answer(meaning: str, schema: str | Record, example: object, headers: tuple[str, ...] = ()) -> Record:
    """Return an answer of JSON; `schema` by the name that it has among the components, or itself."""
    shape = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
    content = {"application/json": {"schema": shape, "example": example}}
    return {**empty(meaning, headers), "content": content}


def picture(meaning: str) -> Record:
    """Return an answer that is a picture or a part of one."""
    return {**empty(meaning), "content": {kind: {} for kind in ("image/jpeg", "image/png", "image/tiff")}}


def empty(meaning: str, headers: tuple[str, ...] = ()) -> Record:
    """Return an answer without a body."""
    names = ("X-Request-ID", "X-Face-Recovery", *headers)
    return {"description": meaning, "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names}}
