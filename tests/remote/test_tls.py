"""Whom the transport believes, against real TLS servers with certificates made for the test."""

import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from engine.errors import UsageError
from engine.remote.client import Client
from engine.remote.failures import Kind, RemoteError
from engine.remote.transport import AiohttpTransport, DistrustError
from engine.remote.trust import trusted
from tests.fakes.clock import FakeClock

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CA = trustme.CA()
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own authorities and proxies are kept out of the tests."""
    for name in (*VARIABLES, "http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "authority.pem"
    CA.cert_pem.write_to_path(str(path))
    return path


@contextlib.asynccontextmanager
async def _serving(certificate: trustme.LeafCert) -> AsyncIterator[tuple[str, list[str]]]:
    """A TLS server on a free port: its base URL, and the keys that it was shown."""
    shown: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        shown.append(request.headers.get("X-API-Key", ""))
        return web.json_response({"data": [], "pagination": {"has_next_page": False}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"https://localhost:{runner.addresses[0][1]}", shown
    finally:
        await runner.cleanup()


async def _listed(base: str) -> None:
    async with AiohttpTransport(max_connections=2, connect_timeout_s=10.0, stall_timeout_s=10.0) as transport:
        await Client(transport, base, "the-key", FakeClock()).listing(limit=1)


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_a_private_authority_is_believed_once_it_is_named(
    name: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
):
    """By whichever of the usual variables."""
    monkeypatch.setenv(name, str(bundle))
    async with _serving(CA.issue_cert("localhost")) as (base, shown):
        await _listed(base)
    assert shown == ["the-key"]


async def test_a_folder_of_authorities_is_believed(bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Named by the hash of their subject, as OpenSSL looks for them; several folders may be named."""
    folder = tmp_path / "authorities"
    folder.mkdir()
    (folder / "unrelated.txt").write_text("no certificate")
    for digest in _subject_hashes(bundle):
        (folder / f"{digest}.0").write_bytes(bundle.read_bytes())
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}:{folder}")
    async with _serving(CA.issue_cert("localhost")) as (base, shown):
        await _listed(base)
    assert shown == ["the-key"]


def _subject_hashes(bundle: Path) -> list[str]:
    tool = shutil.which("openssl")
    if tool is None:
        pytest.skip("there is no openssl here to hash a subject")
    asked = [tool, "x509", "-noout", "-subject_hash", "-in", str(bundle)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (CA.issue_cert("elsewhere.example"), "Hostname mismatch"),
        (CA.issue_cert("localhost", not_before=LONG_AGO, not_after=LONG_AGO + timedelta(days=1)), "has expired"),
        (trustme.CA().issue_cert("localhost"), "unable to get local issuer certificate"),
        (None, "self-signed certificate"),
    ],
    ids=["wrong host", "expired", "unknown authority", "self-signed"],
)
async def test_a_certificate_that_proves_nothing_is_one_clear_line(
    certificate: trustme.LeafCert | None, why: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
):
    """The key is not sent; what is wrong is said with the host and with what to do, as something that lasts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    async with _serving(certificate or _self_signed()) as (base, shown):
        with pytest.raises(RemoteError) as caught:
            await _listed(base)
    assert shown == []
    error = caught.value
    assert (error.kind, error.is_lasting) == (Kind.UNREACHABLE, True)
    assert isinstance(error.__cause__, DistrustError)
    assert why in str(error)
    assert base.removeprefix("https://") in str(error)
    assert "SSL_CERT_FILE" in str(error)
    assert "\n" not in str(error)
    assert "the-key" not in str(error)


def _self_signed() -> trustme.LeafCert:
    """Return a certificate that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = serialization.Encoding.PEM
    private = key.private_bytes(text, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return trustme.LeafCert(private, made.public_bytes(text), [])


async def test_what_speaks_no_tls_is_no_connection():
    """A plain HTTP port behind https:// is said to be that, and nothing was sent."""
    runner = web.AppRunner(web.Application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        with pytest.raises(RemoteError, match="TLS failed") as caught:
            await _listed(f"https://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
    assert (caught.value.kind, caught.value.is_lasting) == (Kind.UNREACHABLE, False)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_bundle_that_is_not_there_is_said_at_once(name: str):
    """With the variable's name: the engine does not go on believing somebody else."""
    with pytest.raises(UsageError, match=f"{name} names /no/where.pem, which is not there"):
        trusted({name: "/no/where.pem"})


def test_a_bundle_without_a_certificate_is_said_at_once(tmp_path: Path):
    """As the file and variable that they are."""
    (path := tmp_path / "empty.pem").write_text("nothing\n")
    with pytest.raises(UsageError, match=r"REQUESTS_CA_BUNDLE names .*empty.pem, which holds no PEM certificate"):
        trusted({"REQUESTS_CA_BUNDLE": str(path)})


def test_nothing_said_is_nothing_changed():
    """Empty variables count as not set."""
    assert trusted({}) is None
    assert trusted(dict.fromkeys(VARIABLES, "")) is None


def test_whoever_is_named_is_verified_still(bundle: Path):
    """Certificate and host name, always."""
    context = trusted({"SSL_CERT_FILE": str(bundle)})
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
