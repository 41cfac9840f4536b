"""What opens an input, or the backend, is in no report; what asks a backend for its prices sends no picture."""

import functools
import http.server
import subprocess
import threading
from pathlib import Path

import pytest

from tests.acceptance.program import KEY, command, content, environment, finish, portraits, until

SIGNATURE = "signature-4711-of-the-input"


@pytest.fixture
def service(tmp_path, unused_tcp_port):
    """A simulated service; gives its base URL."""
    said = tmp_path / "service.out"
    with said.open("wb") as out, (tmp_path / "service.log").open("wb") as log:
        process = subprocess.Popen(
            command(
                "serve",
                "--simulate",
                "--latency",
                "fixed:0.05",
                "--folder",
                tmp_path / "s",
                "--port",
                str(unused_tcp_port),
            ),
            env=environment(FACE_RECOVERY_SERVICE_KEY=KEY),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
        )
    until(lambda: b"serving" in said.read_bytes(), "the service to serve")
    yield f"http://127.0.0.1:{unused_tcp_port}/image/v1"
    process.kill()
    process.wait()


@pytest.fixture
def web(tmp_path):
    """A web server of pictures; gives its address."""
    folder = portraits(tmp_path / "web", 2)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_said) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_reports_hold_no_tokens(service, web, tmp_path):
    """Two presigned inputs, one of which is not there: results, journal, summary and screen name them without."""
    out = tmp_path / "out"
    sources = [f"{web}/face%2000.jpg?{SIGNATURE}", f"{web}/nowhere.jpg?{SIGNATURE}"]
    done = finish("restore", *sources, "--out", out, "--backend", service, "--json", env={"FACE_RECOVERY_API_KEY": KEY})
    assert done.code == 3, done.err
    run = out / ".face-recovery"
    reports = done.out + done.err + "".join((run / name).read_text() for name in ("results.jsonl", "journal.jsonl"))
    assert f"{web}/face%2000.jpg?..." in reports
    assert SIGNATURE not in reports
    assert SIGNATURE in (run / "plan.jsonl").read_text()  # a resume has to fetch them
    assert KEY.encode() not in content(run)
    assert KEY not in done.out + done.err


def test_a_backend_is_asked_for_its_prices(service, tmp_path):
    """Beside the price table; no job is made of it."""
    pictures = portraits(tmp_path / "in", 3)
    done = finish("estimate", pictures, "--backend", service, "--json", env={"FACE_RECOVERY_API_KEY": KEY})
    assert done.code == 0, done.err
    asked = done.summary["asked"]
    assert (done.summary["credits"], asked["credits"], asked["difference"], asked["kinds"]) == (3, 3, 0, 1)
    table = finish("estimate", pictures, "--backend", service, env={"FACE_RECOVERY_API_KEY": KEY})
    assert "credits by " in table.out
    assert "accepted" not in (Path(tmp_path) / "s" / "journal.jsonl").read_text()
    refused = finish("estimate", pictures, "--backend", service, env={"FACE_RECOVERY_API_KEY": "wrong"})
    assert refused.code == 6
    free = finish("estimate", pictures, "--backend", "local")
    assert (free.code, "has no prices to ask for" in free.err) == (2, True)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--webhook-url", "ftp://h/x", "is not an address, http:// or https://, without query"),
        ("--webhook-url", "https://h/x?y=1", "is not an address, http:// or https://, without query"),
        ("--webhook-listen", "8900", "is not HOST:PORT"),
        ("--webhook-listen", "h:99999", "is not HOST:PORT"),
    ],
)
def test_a_webhook_that_can_not_be_is_one_line(option, value, words, tmp_path):
    pictures = portraits(tmp_path / "in", 1)
    done = finish("restore", pictures, "--out", tmp_path / "out", option, value)
    assert (done.code, done.out) == (2, "")
    assert f"{option}: {value} {words}" in done.err


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SSL_CERT_FILE", "/no/where.pem", "SSL_CERT_FILE names /no/where.pem, which is not there"),
        ("HTTPS_PROXY", "socks5://u:s3cret@h:1", "HTTPS_PROXY or ALL_PROXY in the environment"),
    ],
)
def test_a_way_out_that_can_not_be_is_one_line(variable, value, words, tmp_path):
    pictures = portraits(tmp_path / "in", 1)
    asked = ("restore", pictures, "--out", tmp_path / "out", "--backend", "https://127.0.0.1:1/image/v1")
    done = finish(*asked, env={"FACE_RECOVERY_API_KEY": KEY, variable: value})
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "s3cret" not in done.err
    assert done.err.count("\n") == 1
