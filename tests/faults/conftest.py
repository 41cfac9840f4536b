"""What the tests of single faults share."""

import pytest

from tests.pipeline.harness import Bench


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path).pictures(3)
