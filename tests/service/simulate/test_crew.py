"""Many jobs cost a heap and a timer."""

import asyncio
import contextlib

from engine.service.credits import read_ledger
from engine.service.simulate.service import open_simulated
from engine.service.simulate.simulation import Simulation
from engine.service.submission import Submission
from tests.service.harness import ShiftedClock, until

COUNT = 2000


def _draft(number, clock):
    return Submission(
        process_id=f"job-{number}",
        source_id="s",
        sequence=0,
        filename=f"{number}.jpg",
        input_format="jpeg",
        input_width=10,
        input_height=10,
        output_format="jpeg",
        output_width=10,
        output_height=10,
        options_json="{}",
        price=1,
        created=clock.now(),
        eta=0.0,
    )


async def test_waiting_jobs_cost_no_tasks(tmp_path):
    """Thousands of jobs wait without a task of their own; once their moments have come they all end, each once."""
    clock, simulation = ShiftedClock(), Simulation.model_validate({"latency": "queue:10:1000:0.5"})
    async with open_simulated(tmp_path, simulation, clock) as simulated:
        store, crew = simulated.store, simulated.crew
        for number in range(COUNT):
            crew.put([await store.accept(_draft(number, clock))])
        assert len(asyncio.all_tasks()) == 1
        assert repr(crew) == f"<SimulatedCrew: {COUNT - 10} waiting, 10 at work>"
        assert await crew.cancel(store.get("job-0"))
        assert await crew.cancel(store.get("job-1999"))
        clock.ahead_s = 10_000 * COUNT
        running = asyncio.create_task(crew.run())

        async def is_empty():
            return repr(crew) == "<SimulatedCrew: 0 waiting, 0 at work>"

        await until(is_empty, "every job to end")
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        ledger = read_ledger(tmp_path)
    assert (ledger.accepted, ledger.completed, ledger.cancelled) == (COUNT, COUNT - 2, 2)
    assert (ledger.charged_credits, ledger.reserved_credits) == (COUNT - 2, 0)
