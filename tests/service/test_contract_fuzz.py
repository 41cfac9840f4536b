"""The description and the service agree, whatever is sent: seeded calls of every operation, good and bad."""

import copy
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import strategies as st

from engine.service.description.schemas import form_of
from engine.service.openapi import describe, operations
from engine.service.route import SERVED, UNSERVED
from tests.service.harness import picture
from tests.service.live import Live, live

_PATIENCE_S = 30.0
_KNOWN = "a-known-id"  # stands for the id of a job that there is
_LINKS = {"inputs": "/download/input/", "outputs": "/download/"}
_ANSWERED = ("Error", "Accepted", "Row", "Page", "Links", "Deleted", "Balance", "Estimate", "Health")
# Addresses that are refused without a look-up: nothing here leaves the machine.
_ADDRESSES = {"enum": ["http://127.0.0.1:9/a.png", "https://[::1]/a.png", "http://192.0.2.1/a.png"]}
_SUBMITS = [f"/image/v1/{name}/async" for name in (*SERVED, *UNSERVED)]
_ESTIMATES = [f"/image/v1/{name}" for name in ("estimate", "estimate-gen", "estimate-bulk")]


def _without(paths: list[str], *checks: str):
    return {"include-path": paths, "checks": {check: {"enabled": False} for check in checks}}


_CONFIG = schemathesis.Config.from_dict(
    {
        "seed": 6,
        "generation": {"max-examples": 40, "deterministic": True, "database": "none"},
        # Wrong keys are limited for each address: 429 instead of 401. A test of its own asks without a key.
        "checks": {"ignored_auth": {"enabled": False}},
        "operations": [
            # A schema can't say which bytes are a picture, what is served elsewhere, or how many pixels two sides make.
            # And a form is all text: what is no string for the schema has become one when it arrives.
            _without(_SUBMITS, "positive_data_acceptance", "negative_data_rejection"),
            _without(_ESTIMATES[:2], "positive_data_acceptance"),
            # A bad question among many is answered in its place, and what is wrong beside a bad link is not looked at.
            _without(_ESTIMATES[2:], "positive_data_acceptance", "negative_data_rejection"),
            # Without `paginated=true` the limit and the cursor count for nothing.
            _without(["/image/v1/status"], "negative_data_rejection"),
        ],
    }
)

schemathesis.openapi.media_type("image/png", st.sampled_from([picture(), picture("fail"), b"", b"\x89PNG\r\n\x1a\n"]))


def strict():
    """Return the description with no room for members that it does not name, and with an id that is known."""
    whole = copy.deepcopy(describe())
    schemas = whole["components"]["schemas"]
    for closed in (*(schemas[name] for name in _ANSWERED), *schemas["BulkAnswer"]["oneOf"]):
        closed["additionalProperties"] = False
    for form in (form_of(name) for name in SERVED):
        schemas[form]["properties"] |= {"source_url": _ADDRESSES, "webhook_url": _ADDRESSES}
    for item in whole["paths"].values():
        for each in item.get("parameters", []):
            if each["name"] == "id":
                each["schema"] = {"anyOf": [{"enum": [_KNOWN]}, each["schema"]]}
    return whole


schema = schemathesis.openapi.from_dict(strict(), config=_CONFIG)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with live(tmp_path_factory.mktemp("fuzz") / "service", workers=1) as service:
        yield service


@schema.parametrize()
def test_every_answer_is_described(case: schemathesis.Case, service: Live):
    """No call of any operation, well-formed or not, is answered with a fault or otherwise than described."""
    if case.path_parameters.get("id") == _KNOWN:
        _fill_in(case, service)
    response = case.call(base_url=service.base, session=service.session)
    case.validate_response(response)


def _fill_in(case: schemathesis.Case, service: Live) -> None:
    """Put a job, or a link that holds, where the case has what stands for one."""
    process_id = case.path_parameters["id"] = service.submit().json()["process_id"]
    kind = case.path_parameters.get("kind")
    if kind in _LINKS:
        link = urlsplit(_link(service, _LINKS[kind] + process_id))
        case.query = dict(parse_qsl(link.query, keep_blank_values=True))


def _link(service: Live, path: str) -> str:
    deadline = time.monotonic() + _PATIENCE_S
    while (answer := service.call("GET", path)).status_code == 409:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return answer.json()["download_url"]


_KEYED = [(method, path) for method, path, call, _ in operations(describe()["paths"]) if "security" not in call]


@pytest.mark.parametrize(("method", "path"), _KEYED)
def test_nobody_gets_in_without_a_key(service, method, path):
    """Every call that needs a key is answered 401 without one, before anything else is looked at."""
    answer = requests.request(method, service.base + path.replace("{id}", "x"), timeout=_PATIENCE_S)
    assert answer.status_code == 401
    assert answer.json()["code"] == 401
