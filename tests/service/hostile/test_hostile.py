"""The hostile corpus against a running service with real workers: refused or failed with a reason, never worse.

One service for the whole module; its memory is looked at when all is done.
"""

import re
import sys

import pytest

from tests.service.harness import BASE, picture
from tests.service.hostile.bodies import CASES as BODIES
from tests.service.hostile.bodies import FILENAMES
from tests.service.hostile.pictures import CASES as PICTURES
from tests.service.hostile.pictures import HARMLESS
from tests.service.hostile.victim import MB, Victim, victim

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# What honest small pictures take is the base line; the largest of the corpus that may be decoded adds this much.
_WORKER_GROWTH_BYTES = 250 * MB
_SERVICE_GROWTH_BYTES = 80 * MB


_LOG_BYTES = MB  # a line or two a request
_OWN_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with victim(tmp_path_factory.mktemp("hostile")) as running:
        # Both workers are warm, and every library is loaded, before memory is measured.
        warm = [running.submit(picture(size=(300, 200))).json()["process_id"] for _ in range(4)]
        assert {running.ended(each)["status"] for each in warm} == {"Completed"}
        running.forget_peaks()
        before = running.peaks()
        yield running
        _check_survival(running, before)


def _check_survival(service: Victim, before: dict[int, int]) -> None:
    """The same processes as at the beginning, none much larger, a short log, and still at work."""
    after = service.peaks()
    assert after.keys() == before.keys(), service.log.read_text()[-4000:]
    grown = {pid: after[pid] - before[pid] for pid in after}
    sys.stdout.write(f"peak growth in MB: {[round(size / MB) for size in grown.values()]}\n")
    assert grown.pop(service.process.pid) < _SERVICE_GROWTH_BYTES
    assert max(grown.values()) < _WORKER_GROWTH_BYTES
    assert service.log.stat().st_size < _LOG_BYTES
    log = service.log.read_text()
    assert "Traceback" not in log, "something was unforeseen"
    assert service.ended(service.submit(picture()).json()["process_id"])["status"] == "Completed"


@pytest.fixture(scope="module")
def answers(service):
    """Return the answer to every picture of the corpus, sent before any of them is waited for."""
    return {name: service.submit(make()) for name, make in PICTURES.items()}


@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_is_refused_or_fails_with_a_reason(service, answers, name):
    """4xx with a line that says why, or a job that ends; what is a picture all the same comes back restored."""
    answer = answers[name]
    if answer.status == 200:
        row = service.ended(answer.json()["process_id"])
        assert row["status"] in ("Completed", "Failed")
        message = row.get("message", "")
        assert (row["status"] == "Failed") == bool(message)
        assert "signal" not in message, "the worker crashed"
        assert "not done after" not in message, "it took more than the time limit"
        assert row["status"] == "Completed" or name not in HARMLESS, message
    else:
        assert answer.status in (400, 413, 415), (answer, name)
        message = answer.json()["message"]
        assert message
        assert name not in HARMLESS
    assert "\n" not in message
    assert "/" not in message.replace("image/", ""), "no path of the server is told"


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_request_is_refused(service, name):
    """A 4xx with a line of JSON or, for what is no HTTP at all, a closed connection; the service answers on."""
    request = BODIES[name]()
    answer = service.send(request.data, is_cut=request.is_cut)
    assert answer.status in request.right, (answer.status, answer.body[:300])
    assert service.get("/health").status == 200


@pytest.mark.parametrize("filename", FILENAMES, ids=repr)
def test_a_hostile_filename_is_only_ever_text(service, filename):
    """It is told back as JSON, or refused; it never names a file and never stands in a header."""
    before = set(service.log.parent.rglob("*"))
    answer = service.submit(picture(), b'filename="' + filename + b'"')
    assert answer.status in (200, 400), answer
    made = set(service.log.parent.rglob("*")) - before
    if answer.status == 200:
        told = answer.json()["process_id"]
        assert all(_OWN_NAME.fullmatch(path.stem) for path in made), made
        assert service.ended(told)["status"] == "Completed"
        link = service.get(f"{BASE}/download/{told}").json()["download_url"]
        assert service.get("/" + link.split("/", 3)[3]).status == 200
