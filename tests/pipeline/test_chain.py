"""Two stages in one run: one input, one output, two remote jobs, wherever it was cut off."""

import pytest

from engine.job.enhance import Enhance
from engine.job.spec import JobSpec
from engine.job.stage import StageEnd
from engine.pipeline.flight import Flight
from engine.pipeline.inspection import inspect
from engine.pipeline.order import Order
from engine.pipeline.summary import ExitCode
from engine.remote.row import Row
from tests.fakes.remote import Answer, Cut, Lost
from tests.pipeline.chained import FINAL, chain, check_is_whole, names, stop_on_second_stage
from tests.pipeline.harness import SIZE, noise

BACKENDS = pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "vendor"])


@BACKENDS
async def test_each_picture_goes_through_both_stages(tmp_path, is_ours):
    """The second stage gets what the first one made, under a name of its own, and its result is the output."""
    bench = chain(tmp_path, 3, is_ours=is_ours)
    summary = await bench.restore()
    assert (summary.exit_code, summary.staged) == (ExitCode.DONE, 0)
    check_is_whole(bench, 3)
    first, second = bench.remote.job(1), bench.remote.job(1, "s2")
    assert (first.route, second.route) == ("restore-gen", "enhance")
    assert second.source == first.result
    assert first.fields == {"model": "Faces", "output_format": "png"}
    about = {name: text for name, text in second.fields.items() if name not in ("source_url", "filename")}
    assert about == {"model": "Standard V2", "output_format": "jpeg", "output_width": str(FINAL[0])}


async def test_at_the_embedded_service_the_picture_between_stays_there(tmp_path):
    """It is submitted by its link: nothing but the outputs is downloaded, nothing but the inputs uploaded."""
    bench = chain(tmp_path, 2)
    await bench.restore()
    assert bench.remote.count("file") == 2
    assert "source_url" in bench.remote.job(0, "s2").fields
    assert not (bench.run_folder.path / "staged").exists()


async def test_elsewhere_the_picture_between_is_fetched_and_uploaded(tmp_path):
    """A large one, too: a download that breaks goes on where it was, and the copy is gone in the end."""
    bench = chain(tmp_path, 2, is_ours=False)
    bench.remote.result, bench.remote.size = noise((1000, 900)), (1000, 900)
    bench.remote.fault("file", Cut(1_500_000))
    await bench.restore()
    check_is_whole(bench, 2)
    assert bench.remote.job(1, "s2").source == bench.remote.result
    assert [headers["Range"] for headers in bench.remote.file_headers if "Range" in headers] == ["bytes=1500000-"]


async def test_a_row_tells_of_both_stages(tmp_path):
    """Process ids, credits and timings of each, and their sums."""
    bench = chain(tmp_path, 1)
    await bench.restore()
    (row,) = bench.results()
    first, second = row["stages"]
    ids = [bench.remote.job(0).process_id, bench.remote.job(0, "s2").process_id]
    assert [first["process_id"], second["process_id"]] == ids
    assert (row["process_id"], row["credits"], row["attempts"]) == (ids[1], 2, 2)
    assert (first["credits"], second["credits"]) == (1, 1)
    for name in ("submit_s", "remote_s", "download_s"):
        assert row["timings"][name] == pytest.approx(first["timings"][name] + second["timings"][name], abs=0.002)
    assert first["timings"]["remote_s"] >= 1


@pytest.mark.parametrize(("first", "second", "told"), [(2, None, 2), (2, 0, 2), (None, 1, 1), (None, None, None)])
def test_the_faces_of_a_job_are_those_that_were_restored(first, second, told):
    """What the second stage says counts only where the first one says nothing."""
    row = Row.of_json({"process_id": "p", "status": "Completed", **({} if second is None else {"faces": second})})
    flight = Flight(spec=JobSpec(number=0, source="a.png"), row=row, staged=StageEnd(faces=first))
    assert flight.outcome(credits_charged=1).faces == told


async def test_a_run_of_one_stage_says_nothing_of_stages(tmp_path):
    """Its plan, journal and results are as they always were."""
    bench = chain(tmp_path, 2)
    bench.then = None
    bench.remote.enhanced = b""
    await bench.restore()
    for file in (bench.run_folder.plan, bench.run_folder.journal, bench.run_folder.results, bench.run_folder.order):
        assert not any(word in file.read_bytes() for word in (b'"stage', b'"then', b"[then]"))


@pytest.mark.parametrize("sync", [True, False])
async def test_the_first_stage_is_durable_before_the_second_is_sent(tmp_path, sync):
    """When the second POST leaves, the journal on disk says how the first one ended, and that another begins."""
    bench = chain(tmp_path, 1, settings={"sync": sync})

    def look(call):
        if call == "submit" and bench.remote.accepted:
            assert bench.events(0) == ["intent", "accepted", "staged", "intent"]

    bench.remote.before = look
    assert (await bench.restore()).exit_code is ExitCode.DONE


@BACKENDS
async def test_a_second_stage_whose_answer_is_lost_is_looked_up_and_adopted(tmp_path, is_ours):
    """By its own name, which no first stage has."""
    bench = chain(tmp_path, 1, is_ours=is_ours)

    def lose(call):
        if call == "submit" and len(bench.remote.accepted) == 1:
            bench.remote.fault("submit", Lost(is_done=True))

    bench.remote.before = lose
    summary = await bench.restore()
    assert (summary.exit_code, summary.adopted, summary.resubmitted) == (ExitCode.DONE, 1, 0)
    check_is_whole(bench, 1)


@BACKENDS
@pytest.mark.parametrize("fault", [Answer(429), Answer(425), Lost(is_done=False), Answer(500)])
async def test_a_second_stage_that_was_not_accepted_is_sent_again(tmp_path, fault, is_ours):
    """Refused, or proven absent: its first stage is not done again, nor charged again."""
    bench = chain(tmp_path, 1, is_ours=is_ours)

    def refuse(call):
        if call == "submit" and len(bench.remote.accepted) == 1 and bench.remote.count("submit") == 2:
            bench.remote.fault("submit", fault)

    bench.remote.before = refuse
    assert (await bench.restore()).exit_code is ExitCode.DONE
    check_is_whole(bench, 1)


async def test_a_link_that_can_not_be_minted_costs_time(tmp_path):
    """The second stage is sent once there is a link; nothing is noted as sent before."""
    bench = chain(tmp_path, 1)
    bench.remote.fault("link", Answer(500), Answer(503), Answer(429))
    assert (await bench.restore()).exit_code is ExitCode.DONE
    check_is_whole(bench, 1)
    assert bench.events(0) == ["intent", "accepted", "staged", "intent", "accepted", "done"]


async def test_a_result_between_that_is_gone_fails_the_job(tmp_path):
    """Nothing is sent for it, the first stage stays charged, and the reason names the stage."""
    bench = chain(tmp_path, 2)
    bench.remote.fault("link", Answer(404))
    summary = await bench.restore()
    assert (summary.done, summary.failed, summary.credits_charged, summary.credits_reserved) == (1, 1, 3, 0)
    (reason,) = summary.reasons
    assert reason.startswith("enhance: the result of the first stage can't be had from the backend")


@pytest.mark.parametrize(("fates", "stage", "charged"), [("fates", "restore", 2), ("later_fates", "enhance", 3)])
async def test_a_reason_names_the_stage_that_failed(tmp_path, fates, stage, charged):
    """What the first stage cost stays charged when the second one fails."""
    bench = chain(tmp_path, 2)
    setattr(bench.remote, fates, {0: ("Failed", "no luck")})
    summary = await bench.restore()
    assert summary.reasons == {f"{stage}: no luck": 1}
    assert (summary.done, summary.failed) == (1, 1)
    assert (summary.credits_charged, summary.credits_reserved) == (charged, 0)
    assert sum(row["credits"] for row in bench.results()) == charged


async def test_an_id_that_was_answered_for_the_first_stage_is_not_the_seconds(tmp_path):
    """A cache that answers the second POST with the first one's id does not have its result taken for the output."""
    bench = chain(tmp_path, 1)

    def replay(call):
        if call == "submit" and len(bench.remote.accepted) == 1 and bench.remote.count("submit") == 2:
            (first,) = bench.remote.jobs
            bench.remote.fault("submit", Answer(200, body=b'{"process_id": "%b"}' % first.encode()))

    bench.remote.before = replay
    assert (await bench.restore()).exit_code is ExitCode.DONE
    check_is_whole(bench, 1)


@pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 5])
async def test_max_credits_strands_no_job_half_way(tmp_path, limit):
    """A job begins only if both stages fit, and what has begun is finished whatever the limit is."""
    bench = chain(tmp_path, 4, settings={"max_credits": limit})
    summary = await bench.restore()
    assert (summary.exit_code, summary.done, summary.in_flight) == (ExitCode.NO_CREDITS, limit // 2, 0)
    assert (summary.credits_charged, summary.credits_reserved) == (limit // 2 * 2, 0)
    assert len(bench.remote.accepted) == limit // 2 * 2
    assert (await bench.resume(max_credits=8)).exit_code is ExitCode.DONE
    check_is_whole(bench, 4)


async def test_credits_that_run_out_between_the_stages_leave_the_second_for_a_resume(tmp_path):
    """402 to the second stage: its price stays reserved, the job stays where it is and goes on from there."""
    bench = chain(tmp_path, 3)

    def run_out(call):
        if call == "submit" and len(bench.remote.accepted) == 3:
            bench.remote.always["submit"] = Answer(402)

    bench.remote.before = run_out
    summary = await bench.restore()
    assert summary.exit_code is ExitCode.NO_CREDITS
    assert (summary.in_flight, summary.staged, summary.waiting) == (3, 3, 0)
    assert (summary.credits_charged, summary.credits_reserved) == (3, 3)
    bench.remote.before = lambda _call: None
    bench.remote.always.clear()
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 3)


async def test_the_own_service_keeps_the_first_stage_until_the_second_is_done(tmp_path):
    """Its result could be needed again; in the end both are forgotten."""
    bench = chain(tmp_path, 3, is_own=True)
    forgotten = []

    def look(call):
        if call == "forget":
            forgotten.append(len(bench.events(None)) and bench.events().count("done"))

    bench.remote.before = look
    assert (await bench.restore()).exit_code is ExitCode.DONE
    assert bench.remote.jobs == {}
    assert len(forgotten) == 6
    assert all(forgotten)
    check_is_whole(bench, 3)


async def test_the_own_service_keeps_the_first_stage_of_a_job_that_failed_on_its_second(tmp_path):
    """So that a retry need not do it again."""
    bench = chain(tmp_path, 2, is_own=True)
    bench.remote.later_fates = {1: ("Failed", "no luck")}
    await bench.restore()
    assert [job.filename for job in bench.remote.jobs.values()] == ["0123456789-000001.jpg"]


def test_an_order_comes_back_with_its_second_stage(tmp_path):
    """run.toml keeps it, so a resume goes on with both."""
    bench = chain(tmp_path, 1)
    bench.then = Enhance(output_width=9, output_height=8, crop_to_fill=True)
    bench.order().save(tmp_path / "run.toml")
    assert Order.load(tmp_path / "run.toml") == bench.order()


async def test_status_knows_who_is_past_the_first_stage(tmp_path):
    """Between two stages, or on the second one: they are in flight, and counted."""
    bench = chain(tmp_path, 2)
    await stop_on_second_stage(bench)
    summary = inspect(bench.run_folder)
    assert (summary.in_flight, summary.staged, summary.waiting, summary.planned) == (2, 2, 0, 2)
    assert (summary.credits_charged, summary.credits_reserved) == (2, 2)


async def test_prices_are_those_of_both_stages(tmp_path):
    """The first at the input's size, the second at the final one; the plan says so before anything is sent."""
    bench = chain(tmp_path, 1)
    assert bench.order().sizing.prices(6000, 4000, (12_000, 8000)) == (5, 4)
    assert bench.order().sizing.output_size(*SIZE) == FINAL


async def test_a_result_without_a_link_holds_nobody_up(tmp_path):
    """As many as the lane has places: whoever waits for a link gives its place to the others."""
    bench = chain(tmp_path, 12)
    bench.settings = {"submit_concurrency": 4, "max_in_flight": 8, "job_deadline_s": 3600.0}
    sent_at = []

    def refuse(call: str) -> None:
        job = bench.remote.jobs.get(bench.remote.requests[-1][1].rpartition("/")[2])
        if call == "link" and job is not None and job.filename in names(4):
            bench.remote.fault("link", Answer(500))
        if call == "submit":
            sent_at.append(bench.clock.monotonic())

    bench.remote.before = refuse
    started = bench.clock.monotonic()
    summary = await bench.restore()
    assert (summary.done, summary.failed, len(sent_at)) == (8, 4, 12 + 8)
    assert sent_at[-1] - started < 60
