"""Jobs are found in a plan without decoding it."""

from pathlib import Path

import pytest

from engine.errors import MachineError
from engine.job.spec import JobSpec
from engine.journal.line import encode
from engine.pipeline.plan import Place, advance, pick

JOBS = 3000
# Lines of all lengths, so that blocks end anywhere in one; a few as long as a block and more.
SPECS = [
    JobSpec(number=number, source=f"s{number}" + "x" * (200_000 if number % 999 == 7 else number % 90), output="o")
    for number in range(JOBS)
]
LINES = [encode(spec.record()) for spec in SPECS]


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "plan.jsonl"
    path.write_bytes(b"".join(LINES))
    return path


@pytest.mark.parametrize("numbers", [[], [0], [JOBS - 1], [0, 1, 2], [6, 7, 8, 1006, 2005, 2999], range(JOBS)])
def test_the_jobs_asked_for_are_found(plan: Path, numbers: list[int]):
    """Every number has its own line, wherever blocks end."""
    assert list(pick(plan, iter(numbers))) == [SPECS[number] for number in numbers]


@pytest.mark.parametrize("number", [0, 1, 7, 8, 1500, JOBS - 1])
def test_a_place_is_where_the_line_begins(plan: Path, number: int):
    """From the place of a job on, it and all after it are found."""
    place = advance(plan, Place(), number)
    assert place == Place(number, len(b"".join(LINES[:number])))
    assert advance(plan, place, number) == place
    assert advance(plan, advance(plan, Place(), number // 2), number) == place
    assert next(pick(plan, iter([number]), place)) == SPECS[number]


def test_beyond_the_last_job_is_the_end(plan: Path):
    """A plan whose jobs have all ended is not read again."""
    assert advance(plan, Place(), JOBS) == Place(JOBS, plan.stat().st_size)
    assert list(pick(plan, iter(()), Place(JOBS, plan.stat().st_size))) == []


def test_each_job_is_asked_for_when_it_is_its_turn(plan: Path):
    """What happens to later jobs meanwhile is seen."""
    wanted = {3, 5, 9}
    found = []
    for spec in pick(plan, (number for number in range(JOBS) if number in wanted)):
        found.append(spec.number)
        wanted.discard(5)
    assert found == [3, 9]


@pytest.mark.parametrize(
    ("data", "number"),
    [
        (LINES[0] + LINES[1][:-4] + b"\n", 1),
        (LINES[0] + LINES[0], 1),
        (LINES[0], 1),
        (LINES[0] + LINES[1][:-1], 1),
    ],
)
def test_a_lost_line_is_an_error_that_names_it(tmp_path: Path, data: bytes, number: int):
    """Damaged, of another job, or not there: nobody is given another job instead."""
    path = tmp_path / "plan.jsonl"
    path.write_bytes(data)
    with pytest.raises(MachineError, match=f"lost job {number}"):
        list(pick(path, iter([number])))
