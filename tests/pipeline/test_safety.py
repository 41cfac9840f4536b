"""What a remote may send, and who may read what a run leaves: neither harms whoever runs the engine."""

import itertools
import stat

import pytest

from engine.pipeline.budget import Budget
from engine.pipeline.notes import Notes
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import BASE, KEY, Answer
from tests.pipeline.harness import Bench, noise


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path).pictures(3)


def _large(bench: Bench) -> bytes:
    """Have results of more than a megabyte, which are streamed."""
    size = (1100, 400)
    bench.remote.result, bench.remote.size = noise(size), size
    bench.parameters = bench.parameters.model_copy(update={"output_width": size[0], "output_height": size[1]})
    return bench.remote.result


@pytest.mark.parametrize("has_length", [True, False])
async def test_a_result_over_the_limit_fails_its_job(bench, has_length):
    """Whether or not its length is announced; nothing of it is left on the disk."""
    result = _large(bench)
    bench.remote.has_length = has_length
    bench.settings["max_result_bytes"] = len(result) - 1
    summary = await bench.restore()
    assert (summary.done, summary.failed, summary.exit_code) == (0, 3, ExitCode.FAILED_JOBS)
    (reason,) = summary.reasons
    assert reason == f"its result is over {len(result) - 1:,} bytes, the most that max_result_bytes allows"
    assert bench.outputs() == []
    assert summary.credits_charged == 3  # the backend has done it all the same


@pytest.mark.parametrize("has_length", [True, False])
async def test_a_result_of_exactly_the_limit_is_taken(bench, has_length):
    """The bound is a bound, not one less."""
    result = _large(bench)
    bench.remote.has_length = has_length
    bench.settings["max_result_bytes"] = len(result)
    assert (await bench.restore()).done == 3


async def test_a_small_result_is_bounded_too(bench):
    """Also where it is read in one piece."""
    bench.settings["max_result_bytes"] = len(bench.remote.result) - 1
    assert (await bench.restore()).failed == 3


async def test_no_name_that_the_remote_chooses_is_a_path(bench):
    """Ids that climb, and a download that would like to be called otherwise: outputs are where the plan has them."""
    count = itertools.count()
    bench.remote.new_id = lambda: f"../../../tmp/evil/{next(count)}?x=1#y"
    summary = await bench.restore()
    assert (summary.done, bench.outputs()) == (3, ["p000.jpg", "p001.jpg", "p002.jpg"])
    assert sorted(path.name for path in bench.folder.rglob("*") if "evil" in path.name) == []


async def test_a_run_is_its_owners_alone(bench):
    """Plan, journal and order may hold what opens the inputs: folder 0700, files 0600, whatever was there before."""
    folder = bench.run_folder.path
    folder.mkdir(parents=True, mode=0o755)
    folder.chmod(0o755)
    await bench.restore()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.rglob("*") if path.is_file()}
    assert set(modes) >= {"run.toml", "plan.jsonl", "journal.jsonl", "results.jsonl", "snapshot.json"}
    assert set(modes.values()) == {"0o600"}


async def test_a_key_that_travels_in_clear_is_said(bench):
    """In one line, with the address; the run goes on, as it may be somebody's own network."""
    bench.base = BASE.replace("https", "http")
    summary = await bench.restore()
    assert summary.done == 3
    assert summary.notes == ("http://remote.test is plain HTTP: key and pictures travel there for everybody to read",)


class TestBalance:
    """What the account has, beside what the plan needs."""

    async def test_it_is_noted_before_anything_is_sent(self, bench):
        """In one line, with the plan's price once that is known."""
        bench.has_account = True
        bench.remote.available = 12_340
        summary = await bench.restore()
        assert summary.notes == ("12,340 credits available, this plan needs about 3 at most",)
        assert bench.remote.requests[1][0] == "balance"

    def test_what_may_be_counted_twice_is_said_to_be_the_most_there_is(self):
        """Keys of a pool that may be of one account."""
        notes = Notes()
        budget = Budget(notes)
        budget.has(10, is_at_most=True)
        budget.needs(12)
        budget.complete()
        (line,) = notes.lines()
        assert line.startswith("at most 10 credits available, this plan needs about 12 at most: at least 2 are missing")

    async def test_too_little_is_said_and_tried(self, bench):
        """The run goes on until the backend itself says that it is over."""
        bench.has_account = True
        bench.remote.available = 2
        bench.remote.fault("submit", Answer(402))
        summary = await bench.restore()
        assert "1 are missing" in summary.notes[0]
        assert summary.exit_code is ExitCode.NO_CREDITS
        assert (await bench.resume()).done == 3

    async def test_a_resume_counts_only_what_is_to_be_sent(self, bench):
        """What is done or in flight is paid for or reserved."""
        bench.has_account = True
        bench.settings["max_credits"] = 1
        await bench.restore()
        bench.remote.available = 50
        summary = await bench.resume(max_credits=10)
        assert summary.notes == ("50 credits available, this plan needs about 2 at most",)

    @pytest.mark.parametrize(("status", "notes"), [(404, 0), (500, 1), (429, 1)])
    async def test_without_it_the_run_goes_on(self, bench, status, notes):
        """A backend without accounts is nothing to speak of; one that stumbles is."""
        bench.has_account = True
        bench.remote.fault("balance", Answer(status))
        summary = await bench.restore()
        assert (summary.done, len(summary.notes)) == (3, notes)

    async def test_a_key_that_is_refused_there_stops_the_run(self, bench):
        """Before anything is sent."""
        bench.has_account = True
        bench.remote.fault("balance", Answer(403))
        summary = await bench.restore()
        assert (summary.exit_code, bench.remote.count("submit")) == (ExitCode.KEY_REFUSED, 0)


class TestSecrets:
    """What a run writes may be read by people who may neither fetch its inputs nor use its key."""

    async def test_no_address_of_an_input_is_kept_with_its_signature(self, tmp_path):
        """Whatever characters its path is made of."""
        urls = [
            f"https://web.test/{name}?sig=hidden" for name in ("o'brien.jpg", "my photo.jpg", 'a"b.jpg', "a<b>.jpg")
        ]
        bench = Bench(tmp_path).addresses(*urls)
        assert (await bench.restore()).done == 4
        for file in (bench.run_folder.results, bench.run_folder.journal):
            assert b"hidden" not in file.read_bytes()
        assert {row["source"].rpartition("?")[2] for row in bench.results()} == {"..."}

    async def test_what_the_backend_repeats_of_the_key_is_not_kept(self, bench):
        """In a refusal, where it is cut off, or in what it says of a job that has failed."""
        bench.remote.fault("submit", Answer(400, {}, b"x" * (300 - len(KEY) + 1) + KEY.encode()))
        bench.remote.fates = {1: ("Failed", f"{KEY} may not use https://files.test/x?sig=hidden")}
        summary = await bench.restore()
        assert (summary.done, summary.failed) == (1, 2)
        for file in (bench.run_folder.results, bench.run_folder.journal):
            assert KEY[:-1].encode() not in file.read_bytes()
            assert b"hidden" not in file.read_bytes()
