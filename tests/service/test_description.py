"""The description is sound, complete, and says what its examples show."""

import dataclasses

import jsonschema_rs
import orjson
import pytest
import schemathesis

from engine.service.api import Api
from engine.service.description.schemas import PROCESS_ID
from engine.service.job_state import Status
from engine.service.notification import Notification
from engine.service.openapi import describe, operations

_WHOLE = describe()


def validator(shape):
    return jsonschema_rs.validator_for({**shape, "components": _WHOLE["components"]})


def answers():
    """Yield the shape and the example of every body that is sent or answered as JSON."""
    for _, _, call, _ in operations(_WHOLE["paths"]):
        for answer in [call.get("requestBody", {}), *call["responses"].values()]:
            yield from contents(answer, call["operationId"])
    for name, answer in _WHOLE["components"]["responses"].items():
        yield from contents(answer, name)
    yield from contents(_WHOLE["webhooks"]["statusChanged"]["post"]["requestBody"], "statusChanged")


def contents(holder, name):
    for content in [holder.get("content", {}).get("application/json")]:
        if content:
            yield pytest.param(content["schema"], content["example"], id=name)


def test_it_is_openapi():
    """The description is valid OpenAPI 3.1, and every call has a name of its own."""
    schemathesis.openapi.from_dict(describe()).validate()
    names = [call["operationId"] for _, _, call, _ in operations(_WHOLE["paths"])]
    assert len(set(names)) == len(names)


def test_every_route_is_described_and_every_description_served():
    """What is served is described, and the reverse; HEAD comes with GET for files only."""
    api = Api(**{field.name: None for field in dataclasses.fields(Api)})
    served = {(route.method.lower(), route.path) for route in api.routes()}
    described = {(method, path) for method, path, _, _ in operations(_WHOLE["paths"])}
    assert described - served == {("head", "/files/{kind}/{id}")}
    assert served <= described


@pytest.mark.parametrize(("shape", "example"), list(answers()))
def test_every_example_is_of_its_shape(shape, example):
    """Readers copy examples: each is what its schema asks for. A bulk of estimates shows a bad one on purpose."""
    if shape == {"$ref": "#/components/schemas/Questions"}:
        example = example[:1]
    validator(shape).validate(example)


def test_every_link_between_calls_leads_somewhere():
    """What an answer links to is a call that takes what the link gives it."""
    calls = {call["operationId"]: parameters for _, _, call, parameters in operations(_WHOLE["paths"])}
    links = [
        link
        for _, _, call, _ in operations(_WHOLE["paths"])
        for answer in call["responses"].values()
        for link in answer.get("links", {}).values()
    ]
    assert links
    for link in links:
        assert link["parameters"].keys() <= {each["name"] for each in calls[link["operationId"]]}


def test_every_status_word_is_named():
    """The statuses of the contract and no others."""
    assert _WHOLE["components"]["schemas"]["Status"]["enum"] == [status.value for status in Status]


@pytest.mark.parametrize(
    "fields",
    [{}, {"image": "x", "source_id": "y"}, {"source_url": "https://x.example/a.png", "source_id": "y"}],
)
def test_a_submit_has_exactly_one_source(fields):
    """The form's schema refuses no picture as well as two."""
    form = validator(_WHOLE["components"]["schemas"]["RestoreForm"])
    assert not form.is_valid({"model": "Faces", **fields})
    assert form.is_valid({"model": "Faces", "source_id": "y"})


def test_the_server_is_where_it_is_told_to_be():
    """Behind a proxy the description names the address that clients use."""
    assert describe("https://faces.example")["servers"] == [{"url": "https://faces.example"}]


@pytest.mark.parametrize("status", Status)
def test_a_notification_is_what_is_described(status):
    """What a webhook really carries has the described shape, and nothing else in it."""
    links = dict.fromkeys(("download_url", "head_url", "input_download_url", "input_head_url"), "https://x.example/y")
    notification = Notification(
        id="01JGFJ7Z8Q4N5V0C3W2R9T6K1M",
        process_id=PROCESS_ID,
        owner="",
        url="https://x.example/hook",
        host="x.example",
        status=status,
        created=1.0,
        modified=2.0,
        progress=30,
    )
    said = orjson.loads(notification.body(links))
    notice = _WHOLE["components"]["schemas"]["Notice"]
    validator({**notice, "additionalProperties": False}).validate(said)
