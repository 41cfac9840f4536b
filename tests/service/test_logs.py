"""No secret is in any log, whatever the level and whatever goes wrong."""

import asyncio
import ipaddress
import logging
import secrets

import aiohttp

from tests.service.harness import KEY, picture, running
from tests.service.test_doorman import raw, rest_of


async def _strange_calls(service, wrong):
    """Wrong keys in the right place and the right key in wrong ones."""
    async with aiohttp.ClientSession(headers={"X-API-Key": wrong}) as stranger:
        for _ in range(30):
            async with stranger.get(service.base + "/image/v1/status") as response:
                await response.read()
    for mess in (
        f"GET /health HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\x00\r\n\r\n",
        f"GET /health HTTP/1.1\r\nX-API-Key {KEY}\r\n\r\n",
        f"{KEY} is no method\r\n\r\n",
        f"POST /image/v1/estimate HTTP/1.1\r\nX-API-Key: {KEY}\r\nTransfer-Encoding: chunked\r\n\r\n{KEY}\r\n",
    ):
        async with raw(service) as (reader, writer):
            writer.write(mess.encode())
            writer.write_eof()
            await rest_of(reader)
    await service.call("GET", f"/status?token={KEY}&limit={KEY}&paginated=true")


async def test_a_whole_session_leaves_no_secret(tmp_path, caplog):
    """Jobs that end well and badly, links, strangers and messes at DEBUG: no key, signature or token is written."""
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    token, wrong = secrets.token_hex(16), secrets.token_hex(16)
    heard = []

    async def hear(reader, writer):
        heard.append(await reader.readline())
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    receiver = await asyncio.start_server(hear, "127.0.0.1", 0)
    hook = f"http://127.0.0.1:{receiver.sockets[0].getsockname()[1]}/hook?token={token}"
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    async with running(tmp_path / "service", allowed_networks=networks) as service:
        process_id = await service.submit(webhook_url=hook)
        await service.reached(process_id, "Completed")
        await service.reached(await service.submit("crash", webhook_url=hook), "Failed")
        links = [*(await service.link(process_id)).values(), *(await service.link(process_id, "input/")).values()]
        urls = [link for link in links if isinstance(link, str)]
        for url in urls:
            await service.fetch(url)
            await service.fetch(url.replace("signature=", "signature=0"))
        await service.post(None, source_url=urls[0])
        await service.post(None, source_url=hook)
        await service.post(picture(), headers={"X-API-Key": wrong})
        await _strange_calls(service, wrong)
    receiver.close()
    signatures = [url.rpartition("signature=")[2] for url in urls]
    assert all(len(signature) >= 64 for signature in signatures)
    written = caplog.text + "".join(str(record.args) + str(record.exc_info) for record in caplog.records)
    found = [what for what in (KEY, token, wrong, *signatures) if what in written]
    assert not found, [line for line in written.splitlines() if any(what in line for what in found)][:5]
    assert "key=own" in caplog.text
