"""The service described in OpenAPI 3.1: drawn from the code where the code checks it, from `description` for the rest.

What is served beyond the description is a fault, and so is the reverse: tests hold both.
"""

from collections.abc import Iterator

from engine import __version__
from engine.journal.line import Record
from engine.service.description.answers import HEADERS, REFUSALS, refusal
from engine.service.description.calls import calls
from engine.service.description.curl import curl
from engine.service.description.examples import NOTICE
from engine.service.description.schemas import schemas
from engine.service.description.submits import submits

__all__ = ["METHODS", "describe", "operations"]

METHODS = ("get", "head", "post", "delete")
_ABOUT = """\
Restores the faces in pictures, and enlarges pictures. Send one, follow its status, fetch the result by a link.

Every call but `/health` and presigned files carries the header `X-API-Key`. A key sees its own jobs only.

Errors are JSON with `code` and `message`: one line that says what is wrong. An unknown path is answered 404, a wrong \
method 405 with `Allow`; HEAD is answered as GET is, without the body. Answers 402 and 403 are about the key, 400, \
413, 415 and 422 about the request, 429 asks to slow down and 5xx to try again later; after a 5xx or a lost answer to \
a submit look for its filename first.

Inputs, outputs and rows are kept for a week, links live an hour. Credits are reserved when a job is accepted, \
charged when it is completed and given back otherwise; 24 megapixels of output begun cost one credit.
"""
_TAGS = {
    "Send": "A picture in, a job back.",
    "Follow": "Where jobs are, and where their pictures lie.",
    "Tidy up": "Cancel what is not wanted any longer, delete what was fetched.",
    "Prices": "Credits and durations.",
    "Files": "Presigned links, fetched without a key.",
    "Service": "The service itself.",
    "Not served here": "Other calls of the same family, refused with one line.",
}


def describe(server: str = "/") -> Record:
    """Return the whole description; `server` is the address in front of every path."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Face Recovery service", "version": __version__, "description": _ABOUT},
        "servers": [{"url": server}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": _with_examples({**submits(), **calls()}),
        "webhooks": {"statusChanged": {"post": _notice()}},
        "components": {
            "schemas": schemas(),
            "headers": HEADERS,
            "responses": {str(status): refusal(status) for status in REFUSALS},
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-API-Key"}},
        },
    }


def operations(paths: Record) -> Iterator[tuple[str, str, Record, list[Record]]]:
    """Yield method, path, call and all parameters of everything in `paths`."""
    for path, item in paths.items():
        for method in METHODS:
            if method in item:
                call = item[method]
                yield method, path, call, item.get("parameters", []) + call.get("parameters", [])


def _with_examples(paths: Record) -> Record:
    """Give every call its curl command, under the name that viewers of such descriptions look for."""
    for method, path, call, parameters in operations(paths):
        call["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": curl(method, path, call, parameters)}]
    return paths


def _notice() -> Record:
    shape = {"$ref": "#/components/schemas/Notice"}
    return {
        "operationId": "statusChanged",
        "summary": "What is posted to `webhook_url`",
        "description": "At each change of status. Answer 5xx until the notice is safe: it comes again after 5, 10, 20 "
        "and more seconds, up to 15 minutes apart. A 4xx answer discards it for good. The header "
        "`X-Webhook-Signature: t=T,v1=S` proves it: S is the hex HMAC-SHA256 of `T.` and the body, under the key "
        "HMAC-SHA256(SHA-256(API key), `webhook`).",
        "security": [{}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": shape, "example": NOTICE}}},
        "responses": {
            "2XX": {"description": "Taken."},
            "4XX": {"description": "Never again."},
            "5XX": {"description": "Again later."},
        },
    }
