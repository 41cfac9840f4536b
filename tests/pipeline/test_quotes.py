"""A run priced by the backend's own word: one question for each distinct size."""

import pytest

from engine.inputs.scan import Sizing
from engine.job.enhance import Enhance
from engine.job.parameters import FaceRecovery
from engine.job.spec import JobSpec
from engine.pipeline.patience import Patience
from engine.pipeline.quotes import Demand, Quoted, quoted
from engine.policy.backoff import Backoff
from engine.remote.client import Client
from engine.remote.failures import Kind, RemoteError
from engine.remote.prices import BULK
from tests.fakes.clock import FakeClock
from tests.fakes.transport import Answer, Request, ScriptedTransport, Step

BASE = "https://api.example.org/image/v1"
PLAIN = Sizing(FaceRecovery())


def _demand(*sizes: tuple[int, int], sizing: Sizing = PLAIN) -> Demand:
    """Return what pictures of `sizes` ask for; (0, 0) is one on the web."""
    demand = Demand(sizing)
    specs = [
        JobSpec(number=number, source="/in", output="o", width=width, height=height, credits=1)
        for number, (width, height) in enumerate(sizes)
    ]
    refused = JobSpec(number=99, source="/bad", reason="is no picture")
    assert list(demand.watch([*specs, refused])) == [*specs, refused]
    return demand


async def _quoted(demand: Demand, *steps: Step, otherwise: Step | None = None) -> tuple[Quoted, ScriptedTransport]:
    transport = ScriptedTransport(*steps, otherwise=otherwise)
    clock = FakeClock()
    await clock.sleep(0)
    patience = Patience(Backoff(first_s=0.5, max_s=60.0), clock, lambda: 0.5)
    return await quoted(Client(transport, BASE, "k", clock), demand, "topaz", patience), transport


def _two_credits(_request: Request) -> Answer:
    return Answer(json={"duration": 10, "credits": 2})


async def test_each_size_is_asked_for_once():
    """Three pictures of two sizes, one on the web and one refused: two questions in one request."""
    answers = [
        {"status": "success", "duration": 10, "credits": 2},
        {"status": "success", "duration": 4, "credits": 1},
    ]
    result, transport = await _quoted(_demand((40, 30), (40, 30), (8, 8), (0, 0)), Answer(json=answers))
    assert len(transport.requests) == 1
    assert result == Quoted(
        backend="topaz",
        credits=5,
        difference=2,
        duration_s=24.0,
        longest_s=10.0,
        kinds=2,
        unknown=1,
        refused={},
    )


async def test_many_sizes_are_asked_for_in_batches():
    """No request carries more questions than BULK."""
    sizes = [(100, 1 + number) for number in range(BULK + 1)]

    def answer(request: Request) -> Answer:
        return Answer(json=[{"status": "success", "credits": 1}] * request.body.count(b'"model"'))

    result, transport = await _quoted(_demand(*sizes), otherwise=answer)
    assert [request.body.count(b'"model"') for request in transport.requests] == [BULK, 1]
    assert (result.credits, result.difference, result.duration_s) == (BULK + 1, 0, 0.0)


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_backend_without_bulk_is_asked_one_by_one(status: int):
    """All that was not answered yet, and only that."""
    result, transport = await _quoted(_demand((40, 30), (8, 8)), Answer(status), otherwise=_two_credits)
    assert [request.url.removeprefix(BASE) for request in transport.requests] == [
        "/estimate-bulk",
        "/estimate-gen",
        "/estimate-gen",
    ]
    assert (result.credits, result.difference) == (4, 2)


async def test_what_would_be_refused_is_counted_with_its_reason():
    """In bulk and one by one; it costs nothing."""
    refusal = {"status": "error", "code": 400, "message": "too large"}
    result, _transport = await _quoted(_demand((40, 30), (40, 30)), Answer(json=[refusal]))
    assert (result.credits, result.refused) == (0, {"too large": 2})
    result, _transport = await _quoted(_demand((40, 30)), Answer(404), Answer(400, json={"message": "too large"}))
    assert result.refused == {"estimate was answered 400: too large": 1}


async def test_what_would_be_refused_is_in_no_sum():
    """The difference is that over the jobs that the backend would take."""
    answers = [
        {"status": "success", "duration": 10, "credits": 3},
        {"status": "error", "code": 400, "message": "too large"},
    ]
    result, _transport = await _quoted(_demand((40, 30), (9000, 9000)), Answer(json=answers))
    assert (result.credits, result.difference, result.duration_s, result.refused) == (3, 2, 10.0, {"too large": 1})


@pytest.mark.parametrize("is_first_refused", [True, False])
async def test_a_chained_job_that_is_refused_counts_once(is_first_refused: bool):
    """Whether at its first stage, its second, or both; nothing of it is in the sums."""
    refusal = {"status": "error", "code": 400, "message": "too large"}
    price = {"status": "success", "duration": 10, "credits": 3}
    answers = [price, price, refusal if is_first_refused else price, refusal]
    sizing = Sizing(FaceRecovery(), None, Enhance(output_width=80))
    result, _transport = await _quoted(_demand((40, 30), (41, 30), sizing=sizing), Answer(json=answers))
    assert (result.kinds, result.refused) == (4, {"too large": 1})
    assert (result.credits, result.difference, result.duration_s, result.longest_s) == (6, 5, 20.0, 20.0)


async def test_a_stumble_is_waited_out_and_a_bad_key_is_not():
    """As with every question to a backend."""
    good = Answer(json=[{"status": "success", "credits": 1}])
    result, transport = await _quoted(_demand((40, 30)), Answer(503), Answer(429), good)
    assert (result.credits, len(transport.requests)) == (1, 3)
    with pytest.raises(RemoteError) as caught:
        await _quoted(_demand((40, 30)), Answer(401))
    assert caught.value.kind is Kind.KEY_REFUSED


async def test_both_stages_of_a_chain_are_asked_for():
    """The first keeps the size, the second makes it."""
    sizing = Sizing(FaceRecovery(), None, Enhance(output_width=80))
    result, transport = await _quoted(_demand((40, 30), sizing=sizing), Answer(404), otherwise=_two_credits)
    assert [request.url.removeprefix(BASE) for request in transport.requests[1:]] == ["/estimate-gen", "/estimate"]
    assert b'"output_width":80' in transport.requests[2].body
    assert (result.credits, result.kinds) == (4, 2)


async def test_nothing_to_ask_is_asked_of_nobody():
    """A list of addresses has no sizes yet."""
    result, transport = await _quoted(_demand((0, 0)))
    assert (result.credits, result.unknown, transport.requests) == (0, 1, [])
