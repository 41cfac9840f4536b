"""What the service counts, read as Prometheus would."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.service.harness import picture, running
from tests.service.test_admin import administered
from tests.service.test_doorman import raw, rest_of

_BOUNDED = {"method", "route", "status", "reason", "limit", "outcome", "le"}


async def _figures(service, admin):
    """Return every sample by its name and labels."""
    text = (await service.fetch(admin + "/metrics")).body.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in samples}


def _value(figures, name, **labels):
    return figures["face_recovery_" + name, tuple(sorted(labels.items()))]


async def test_calls_jobs_and_credits_are_counted(tmp_path, caplog):
    """Calls by route, status and time; jobs by how they ended; credits; deaths of workers; bytes both ways."""
    async with administered(tmp_path / "service", caplog, credits=100) as (service, admin):
        done, failed = await service.submit(), await service.submit("crash")
        await service.reached(done, "Completed")
        await service.reached(failed, "Failed")
        waiting = await service.submit(f"wait {tmp_path / 'gate'}")
        await service.reached(waiting, "Processing")
        figures = await _figures(service, admin)
    submits = {"method": "POST", "route": "/image/v1/restore-gen/async", "status": "200"}
    assert _value(figures, "requests_total", **submits) == 3
    assert _value(figures, "request_seconds_count", route="/image/v1/restore-gen/async") == 3
    assert _value(figures, "request_seconds_count", route="/image/v1/status/{id}") >= 3
    assert _value(figures, "jobs_accepted_total") == 3
    assert _value(figures, "jobs_ended_total", status="completed") == 1
    assert _value(figures, "jobs_ended_total", status="failed") == 1
    assert (_value(figures, "jobs_running"), _value(figures, "jobs_queued")) == (1, 0)
    assert (_value(figures, "credits_charged_total"), _value(figures, "credits_reserved")) == (1, 1)
    assert _value(figures, "worker_deaths_total") == 2
    assert _value(figures, "received_bytes_total") > 3 * len(picture())
    assert _value(figures, "sent_bytes_total") > 500
    assert _value(figures, "connections") >= 1


async def test_labels_are_few_whatever_clients_send(tmp_path, caplog):
    """Ids, paths, methods and keys of clients make no new series."""
    async with administered(tmp_path / "service", caplog) as (service, admin):
        for number in range(5):
            await service.call("GET", f"/status/{number}")
            await service.call("GET", f"/nowhere/{number}")
            await service.call(f"M{number}", "/status")
        figures = await _figures(service, admin)
    assert _value(figures, "requests_total", method="GET", route="/image/v1/status/{id}", status="404") == 5
    assert _value(figures, "requests_total", method="GET", route="other", status="404") == 5
    assert {name for _, labels in figures for name, _ in labels} <= _BOUNDED
    assert not [value for _, labels in figures for _, value in labels if value in ("M1", "/nowhere/1", "1")]


async def test_cuts_and_refusals_are_counted(tmp_path, caplog):
    """Wrong keys over the rate and connections over the limit show up by reason."""
    async with administered(tmp_path / "service", caplog) as (service, admin):
        for number in range(40):
            await service.call("GET", "/status", headers={"X-API-Key": f"wrong {number}"})
        figures = await _figures(service, admin)
    assert _value(figures, "rate_refusals_total", limit="client") >= 1
    assert _value(figures, "rate_refusals_total", limit="key") == 0
    assert _value(figures, "connections_cut_total", reason="full") == 0


@pytest.mark.parametrize("times", [2])
async def test_two_services_in_one_process_count_apart(tmp_path, caplog, times):
    """Nothing is registered globally."""
    for number in range(times):
        caplog.clear()
        async with administered(tmp_path / str(number), caplog) as (service, admin):
            await service.call("GET", "/status")
            figures = await _figures(service, admin)
            assert _value(figures, "requests_total", method="GET", route="/image/v1/status", status="200") == 1


async def test_without_an_admin_port_nothing_is_counted_or_opened(tmp_path, caplog):
    """The default service has one port."""
    async with running(tmp_path / "service", admin_port=None) as service:
        assert (await service.call("GET", "/status"))[0] == 200
    assert "metrics and health" not in caplog.text


async def test_what_is_no_sound_call_is_counted_like_any(tmp_path, caplog):
    """A method that does not exist, or no HTTP at all, is one 400 under `other`, and one short line in the log."""
    async with administered(tmp_path / "service", caplog) as (service, admin):
        for line in (b"FOO /health HTTP/1.1", b"no HTTP at all"):
            async with raw(service) as (reader, writer):
                writer.write(line + b"\r\nHost: x\r\n\r\n")
                assert (await rest_of(reader)).split(b" ")[1][:1] == b"4"
        figures = await _figures(service, admin)
    counted = [
        value
        for (name, labels), value in figures.items()
        if name == "face_recovery_requests_total" and ("route", "other") in labels
    ]
    assert sum(counted) >= 1
    assert "Traceback" not in caplog.text
