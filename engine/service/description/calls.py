"""The calls about jobs that were sent, about prices, and about the service itself."""

from engine.journal.line import Record
from engine.service.description.answers import empty, json_answer, picture, refusal, refusals
from engine.service.description.examples import BALANCE, LINKS, QUESTION, ROW
from engine.service.description.schemas import PROCESS_ID

__all__ = ["calls"]

_ID: Record = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "`process_id` of the job.",
    "schema": {"type": "string", "minLength": 1},
    "example": PROCESS_ID,
}
_OPEN: list[Record] = [{}]  # no key
_PRESIGNED = (
    "This link carries its own permission and ends by itself: send it without the key, and keep it to yourself."
)


def calls() -> Record:
    """Return every path but the submits."""
    base = "/image/v1"
    return {
        base + "/status/{id}": {"parameters": [_ID], "get": _status(), "delete": _forget()},
        base + "/status": {"get": _listing(), "delete": _forget_all()},
        base + "/download/{id}": {"parameters": [_ID], "get": _links("Output", 404, 409)},
        base + "/download/input/{id}": {"parameters": [_ID], "get": _links("Input", 404)},
        base + "/cancel/{id}": {"parameters": [_ID], "delete": _cancel()},
        base + "/estimate": {"post": _estimate("estimate", "What a job would cost")},
        base + "/estimate-gen": {"post": _estimate("estimateGen", "The same by its other name")},
        base + "/estimate-bulk": {"post": _estimate_bulk()},
        "/account/v1/credits/balance": {"get": _balance()},
        "/files/{kind}/{id}": {"parameters": _file_parameters(), "get": _file("file"), "head": _file("fileHead")},
        "/health": {"get": _health()},
    }


def _call(call: str, tag: str, summary: str, text: str = "", **rest: object) -> Record:
    return {"operationId": call, "tags": [tag], "summary": summary, "description": text or summary + ".", **rest}


def _status() -> Record:
    answers = {"200": json_answer("The row.", "Row", ROW), **refusals(404)}
    return _call("status", "Follow", "Where one job is", responses=answers)


def _forget() -> Record:
    text = "Deletes the row, its output, and its input unless another job still has it. A job that goes on is refused."
    return _call(
        "forget", "Tidy up", "Delete one ended job", text, responses={"204": empty("Gone."), **refusals(404, 409)}
    )


def _listing() -> Record:
    page = {"data": [ROW], "pagination": {"next_cursor": "41", "has_next_page": True}}
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Row"}}
    either = {"anyOf": [{"$ref": "#/components/schemas/Page"}, rows]}
    text = (
        "With `paginated=true` one page; without it the bare array of all rows, which may be long. Rows of jobs that "
        "were there throughout are seen exactly once; rely on no order."
    )
    answers = {"200": json_answer("One page, or all rows.", either, page), **refusals(400)}
    return _call("listing", "Follow", "The jobs of this key", text, parameters=_paging(), responses=answers)


def _paging() -> list[Record]:
    return [
        {
            "name": "paginated",
            "in": "query",
            "description": "`true` for pages; all else means no pages.",
            "schema": {"type": "string"},
            "example": "true",
        },
        {
            "name": "limit",
            "in": "query",
            "description": "Rows a page.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 50},
            "example": 100,
        },
        {
            "name": "cursor",
            "in": "query",
            "description": "`next_cursor` of the page before.",
            "schema": {"type": "string", "pattern": "^[0-9]{1,15}$"},
        },
    ]


def _forget_all() -> Record:
    answers = {"200": json_answer("How many went.", "Deleted", {"deleted_count": 12}), **refusals()}
    return _call("forgetAll", "Tidy up", "Delete every ended job of this key", responses=answers)


def _links(what: str, *statuses: int) -> Record:
    text = f"Two links to the {what.lower()}, for GET and for HEAD, that need no key and live an hour."
    answers = {"200": json_answer("The links.", "Links", LINKS), **refusals(*statuses)}
    return _call(f"download{what}", "Follow", f"A link to the {what.lower()}", text, responses=answers)


def _cancel() -> Record:
    text = "The reserved credits are given back. 409 when the job has ended already."
    answers = {"204": empty("Cancelled."), **refusals(404, 409)}
    return _call("cancel", "Tidy up", "Cancel one job", text, responses=answers)


def _estimate(call: str, summary: str) -> Record:
    text = "No picture is sent and nothing is reserved. Both estimate calls take either model."
    answers = {
        "200": json_answer("The price.", "Estimate", {"duration": 3.2, "credits": 2}),
        **refusals(400, 408, 413, 415),
    }
    return _call(call, "Prices", summary, text, requestBody=_json("Question", QUESTION), responses=answers)


def _estimate_bulk() -> Record:
    said = [
        {"status": "success", "duration": 3.2, "credits": 2},
        {"status": "error", "code": 400, "message": "input_width: Input should be greater than or equal to 1"},
    ]
    shape = {"type": "array", "items": {"$ref": "#/components/schemas/BulkAnswer"}}
    answers = {"200": json_answer("One answer each, in the order asked.", shape, said), **refusals(400, 408, 413, 415)}
    body = _json("Questions", [QUESTION, {**QUESTION, "input_width": 0}])
    return _call("estimateBulk", "Prices", "What many jobs would cost", requestBody=body, responses=answers)


def _json(schema: str, example: object) -> Record:
    shape = {"$ref": f"#/components/schemas/{schema}"}
    return {"required": True, "content": {"application/json": {"schema": shape, "example": example}}}


def _balance() -> Record:
    answers = {"200": json_answer("The balance.", "Balance", BALANCE), **refusals()}
    text = "`total_credits` is what is left: `available_credits` and `reserved_credits` of jobs that have not ended."
    return _call("balance", "Prices", "The credits of this key", text, responses=answers)


def _file_parameters() -> list[Record]:
    kind = {"name": "kind", "in": "path", "required": True, "schema": {"enum": ["inputs", "outputs"]}}
    proofs = {
        "expires": ("When the link ends, in Unix seconds.", "1767225600"),
        "signature": ("Proves the link.", "5f0c"),
        "key": ("Which key asked for it; no secret.", ""),
    }
    query = [
        {"name": name, "in": "query", "description": text, "schema": {"type": "string"}, "example": example}
        for name, (text, example) in proofs.items()
    ]
    return [{**kind, "example": "outputs"}, {**_ID, "description": "The job's or the source's id."}, *query]


def _file(call: str) -> Record:
    """Return the GET or the HEAD of a presigned link; its refusals name the link, not a key."""
    answers: Record = {
        "200": picture("The picture. Ranges, entity tags and dates work as HTTP has them."),
        "206": picture("The part that `Range` asked for."),
        "304": empty("Not changed since."),
        "403": {**refusal(403), "description": "The link has ended or is not valid; ask for a new one."},
        "404": {**refusal(404), "description": "The file is not kept any longer."},
        "412": empty("A condition of the request does not hold."),
        "416": empty("No such range."),
        "503": {"$ref": "#/components/responses/503"},
    }
    summary = "A stored picture" if call == "file" else "The headers of a stored picture"
    return _call(call, "Files", summary, _PRESIGNED, security=_OPEN, responses=answers)


def _health() -> Record:
    answers = {"200": json_answer("It does.", "Health", {"status": "ok"})}
    return _call("health", "Service", "Whether the service answers", security=_OPEN, responses=answers)
