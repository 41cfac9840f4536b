"""The calls that send a picture: two that are served, and those of the contract's family that are not."""

from engine.journal.line import Record
from engine.service.description.answers import json_answer, refusals
from engine.service.description.schemas import PROCESS_ID, form_of
from engine.service.route import SERVED, UNSERVED, Route

__all__ = ["submits"]

_REFUSALS = (400, 402, 408, 413, 415, 422)
_SOURCE_ID = "2b0d3d1e-96f2-4f1d-8a55-6d1b1f1f7c20"
_DURABLE = (
    "Send the picture in exactly one of three ways: `image`, `source_url` or `source_id`. The picture and the job are "
    "on disk before the answer. A repeated call is a second job: after a lost answer look for the filename in "
    "`GET /image/v1/status` before sending again. Fields that the model does not know are ignored."
)


# What each served route does, and what an example may ask of it beside the picture.
_SERVED: dict[str, tuple[str, Record]] = {
    "restore-gen": ("Restore the faces in a picture", {"strength": 0.8, "output_format": "png"}),
    "enhance": ("Enlarge a picture", {"output_width": 2048, "output_format": "png"}),
}


def submits() -> Record:
    """Return every submit path."""
    served = {_path(name): {"post": _submit(route)} for name, route in SERVED.items()}
    return served | {_path(name): {"post": _not_served(name)} for name in UNSERVED}


def _path(route: str) -> str:
    return f"/image/v1/{route}/async"


def _submit(route: Route) -> Record:
    summary, example = _SERVED[route.name]
    accepted = {"process_id": PROCESS_ID, "source_id": _SOURCE_ID, "eta": 1767225600.5}
    ok = json_answer("Accepted and kept.", "Accepted", accepted, ("X-Process-ID", "X-Source-ID", "X-ETA"))
    form = {"$ref": f"#/components/schemas/{form_of(route.name)}"}
    return {
        "operationId": f"submit{route.category}",
        "tags": ["Send"],
        "summary": f"{summary} (model `{route.model}`)",
        "description": _DURABLE,
        "requestBody": _body(form, {"model": route.model, "image": "@portrait.jpg", **example}),
        "responses": {"200": {**ok, "links": _links()}, **refusals(*_REFUSALS)},
    }


def _body(schema: Record, example: Record) -> Record:
    form = {
        "schema": schema,
        "example": example,
        "encoding": {"image": {"contentType": "image/jpeg, image/png, image/tiff"}},
    }
    return {"required": True, "content": {"multipart/form-data": form}}


def _links() -> Record:
    """Return the calls that a process id leads to."""
    by_id = {"parameters": {"id": "$response.body#/process_id"}}
    calls = ("status", "forget", "downloadOutput", "downloadInput", "cancel")
    return {call: {"operationId": call, **by_id} for call in calls}


def _not_served(name: str) -> Record:
    head, *rest = name.split("-")
    return {
        "operationId": "submit" + head.capitalize() + "".join(map(str.capitalize, rest)),
        "tags": ["Not served here"],
        "summary": f"`{name}` is not served here",
        "description": "A call of the same family that this service has no model for: always refused, with one line "
        "that names what is served. Nothing is stored.",
        "requestBody": _body({"type": "object"}, {"model": "any"}),
        "responses": refusals(400),
    }
