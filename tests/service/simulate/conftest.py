import contextlib

import pytest

from engine.service.simulate.simulation import Simulation
from tests.service.harness import running


@pytest.fixture
def simulated(tmp_path):
    """Return a function that serves a folder as simulated: at once and without faults, but for what it is told."""

    @contextlib.asynccontextmanager
    async def serving(folder="service", **told):
        simulation = Simulation.model_validate({"latency": "fixed:0", "result_bytes": 5000, **told})
        async with running(tmp_path / folder, simulation=simulation) as service:
            yield service

    return serving
