import pytest

from tests.service.harness import running


@pytest.fixture
async def service(tmp_path):
    async with running(tmp_path / "service") as service:
        yield service
