"""The service with a certificate of its own."""

import re
import ssl

import aiohttp
import pytest
import trustme

from engine.errors import UsageError
from engine.service.settings import Tls
from tests.service.harness import BASE, KEY, picture, running


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def _files(folder, authority, name="localhost"):
    issued = authority.issue_cert(name)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    issued.cert_chain_pems[0].write_to_path(certificate)
    issued.private_key_pem.write_to_path(key)
    return Tls(certificate=certificate, key=key)


def _trusting(authority):
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_jobs_and_links_go_through_tls(tmp_path, authority):
    """The base URL and the links say https, and a client that trusts the authority gets everything there."""
    async with running(tmp_path / "service", tls=_files(tmp_path, authority), host="localhost") as service:
        assert service.base.startswith("https://localhost:")
        connector = aiohttp.TCPConnector(ssl=_trusting(authority))
        form = aiohttp.FormData({"model": "Faces"})
        form.add_field("image", picture(), filename="a.png", content_type="image/png")
        async with aiohttp.ClientSession(connector=connector, headers={"X-API-Key": KEY}) as session:
            async with session.post(f"{service.base}{BASE}/restore-gen/async", data=form) as response:
                process_id = (await response.json())["process_id"]
            async with session.get(f"{service.base}{BASE}/download/input/{process_id}") as response:
                link = (await response.json())["download_url"]
            assert link.startswith(service.base)
            async with session.get(link) as response:
                assert await response.read() == picture()


async def test_old_versions_of_tls_are_refused(tmp_path, authority):
    """TLS 1.1 gets no connection."""
    context = _trusting(authority)
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1 is deprecated"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    connector = aiohttp.TCPConnector(ssl=context)
    tls = _files(tmp_path, authority)
    async with (
        running(tmp_path / "service", tls=tls, host="localhost") as service,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        with pytest.raises(aiohttp.ClientError):
            await session.get(service.base + "/health")


async def test_files_that_can_not_serve_are_usage_errors(tmp_path, authority):
    """A missing file, a key of another certificate and what is no PEM are each said in one line with the path."""
    good, other = _files(tmp_path, authority), _files(tmp_path, authority, "example.org")
    (tmp_path / "junk").write_text("no PEM")
    cases = {
        f"{tmp_path / 'missing'} can't be read: No such file": Tls(certificate=tmp_path / "missing", key=good.key),
        f"{other.key} is not the key of the certificate in {good.certificate}": Tls(
            certificate=good.certificate, key=other.key
        ),
        "must be a certificate chain and its unencrypted key": Tls(certificate=tmp_path / "junk", key=good.key),
    }
    for message, tls in cases.items():
        with pytest.raises(UsageError, match=re.escape(message)):
            async with running(tmp_path / "service", tls=tls):
                pass
