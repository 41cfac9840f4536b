"""The commands that look after a run, on a command line: exit codes, what is printed, what is left on disk."""

import signal
from pathlib import Path

import orjson
import pytest

from tests.acceptance.conftest import Served
from tests.acceptance.program import Finished, Running, events, finish, portraits, rows, until

SLOW, QUICK = 'latency = "fixed:600"\n', 'latency = "fixed:0.05"\n'
_COUNTS = ("done", "failed", "in_flight", "waiting")


def simulated(folder: Path, text: str, pictures: int) -> tuple[str | Path, ...]:
    """Return the arguments of a restore of so many pictures by a simulated service as `text` has it."""
    portraits(folder / "in", pictures)
    return ("restore", folder / "in", "-o", folder / "out", "--backend", "simulated", *simulation(folder, text))


def simulation(folder: Path, text: str) -> tuple[str | Path, ...]:
    (folder / "simulation.toml").write_text(text)
    return ("--simulation", folder / "simulation.toml", "--quiet")


def interrupted(folder: Path, pictures: int, *options: str) -> Finished:
    """Run a restore that no job of ever finishes, until all are in flight; then stop it well."""
    run = folder / "out" / ".face-recovery"
    engine = Running.start(*simulated(folder, SLOW, pictures), "--json", *options)
    try:
        engine.until(lambda: len(events(run, "accepted")) == pictures, "all are accepted")
        engine.signal(signal.SIGINT)
        return engine.ended()
    finally:
        engine.stop()


def assert_adds_up(summary: dict[str, int]) -> None:
    assert sum(summary[name] for name in _COUNTS) == summary["planned"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of four pictures that ended well."""
    folder = tmp_path_factory.mktemp("care")
    assert finish(*simulated(folder, QUICK, 4)).code == 0
    return folder


class TestVerify:
    def test_a_good_run(self, finished: Path) -> None:
        """Exit code 0, counts that add up to the plan, nothing on standard error."""
        ended = finish("verify", finished / "out", "--json")
        assert (ended.code, ended.err) == (0, "")
        numbers = [ended.summary[name] for name in ("planned", "verified", "bad", "failed", "not_done", "exit_code")]
        assert numbers == [4, 4, 0, 0, 0, 0]
        assert "4  verified of 4" in finish("verify", finished / "out").out

    def test_bad_outputs(self, tmp_path: Path) -> None:
        """Exit code 3; each bad output is named with what is wrong, in the table, by --json and in a list."""
        assert finish(*simulated(tmp_path, QUICK, 4)).code == 0
        (tmp_path / "out" / "face 01.jpg").unlink()
        with (tmp_path / "out" / "face 02.jpg").open("r+b") as file:
            file.truncate(100)
        ended = finish("verify", tmp_path / "out", "--json", "--list", tmp_path / "bad.jsonl")
        assert (ended.code, ended.summary["verified"], ended.summary["bad"]) == (3, 2, 2)
        found = {each["output"]: each["wrong"] for each in ended.summary["outputs"]}
        assert found == {"face 01.jpg": "missing", "face 02.jpg": "truncated"}
        listed = [orjson.loads(line) for line in (tmp_path / "bad.jsonl").read_bytes().splitlines()]
        assert listed == ended.summary["outputs"]
        assert "face 01.jpg: missing" in finish("verify", tmp_path / "out").out

    def test_no_run(self, tmp_path: Path) -> None:
        """A folder without a run is one error line and exit code 2."""
        ended = finish("verify", tmp_path)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


class TestRetryFailed:
    def test_failed_jobs_are_done_in_the_end(self, tmp_path: Path) -> None:
        """Sent anew under names of their own: exit code 0 once all are done, one result row a job."""
        assert finish(*simulated(tmp_path, QUICK + "failed_jobs = 1.0\n", 3)).code == 3
        simulation(tmp_path, QUICK)
        ended = finish("retry-failed", tmp_path / "out", "--json", "--quiet")
        assert (ended.code, ended.summary["done"], ended.summary["retried"]) == (0, 3, 3)
        assert_adds_up(ended.summary)
        assert "of 3 failed jobs 3 were sent anew" in ended.summary["notes"][0]
        assert [row["status"] for row in rows(tmp_path / "out" / ".face-recovery")] == ["done"] * 3

    def test_nothing_failed(self, finished: Path) -> None:
        """It says so, exit code 0."""
        ended = finish("retry-failed", finished / "out")
        assert (ended.code, ended.out) == (0, "no job failed: nothing to retry\n")
        ended = finish("retry-failed", finished / "out", "--json")
        assert (ended.code, ended.summary["message"]) == (0, "no job failed")

    def test_a_reason_that_no_job_failed_for(self, tmp_path: Path) -> None:
        """Nothing is touched, and the text is said."""
        assert finish(*simulated(tmp_path, QUICK + "failed_jobs = 1.0\n", 2)).code == 3
        ended = finish("retry-failed", tmp_path / "out", "--reason", "no such reason")
        assert (ended.code, "no such reason" in ended.out) == (0, True)
        assert finish("status", tmp_path / "out", "--json").summary["failed"] == 2

    def test_a_refused_key(self, inputs: Path, tmp_path: Path, served: Served) -> None:
        """A key that is not taken is exit code 6."""
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "good.jpg").write_bytes((inputs / "face 00.jpg").read_bytes())
        (tmp_path / "in" / "late.jpg").write_bytes(b"")
        assert finish("restore", tmp_path / "in", "-o", tmp_path / "out", *served.options, env=served.env).code == 3
        (tmp_path / "in" / "late.jpg").write_bytes((inputs / "face 01.jpg").read_bytes())
        wrong = {"FACE_RECOVERY_API_KEY": "wrong"}
        assert finish("retry-failed", tmp_path / "out", "--quiet", env=wrong).code == 6
        assert finish("resume", tmp_path / "out", "--json", "--quiet", env=served.env).summary["done"] == 2


class TestRecover:
    def test_a_sound_journal_is_left_alone(self, finished: Path) -> None:
        """Exit code 2 and one line, which names --force."""
        ended = finish("recover", finished / "out", "--offline")
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert "--force" in ended.err

    @pytest.mark.parametrize("options", [(), ("--offline",)])
    def test_a_lost_journal(self, tmp_path: Path, options: tuple[str, ...]) -> None:
        """The counts add up to the plan, and the resume ends with all done and nothing sent twice."""
        assert finish(*simulated(tmp_path, QUICK, 4)).code == 0
        run = tmp_path / "out" / ".face-recovery"
        (run / "journal.jsonl").write_bytes(b"rubbish\n")
        (tmp_path / "out" / "face 03.jpg").unlink()
        ended = finish("recover", tmp_path / "out", "--json", "--quiet", *options)
        assert (ended.code, ended.summary["planned"], ended.summary["done"]) == (0, 4, 3)
        assert ended.summary["adopted"] + ended.summary["waiting"] == 1
        assert ended.summary["kept"] == "journal.jsonl.lost-1"
        resumed = finish("resume", tmp_path / "out", "--json", "--quiet")
        assert (resumed.code, resumed.summary["done"], resumed.summary["credits_charged"]) == (0, 4, 4)
        assert len(events(run, "intent")) == 0
        assert finish("verify", tmp_path / "out").code == 0

    def test_it_says_how_to_go_on(self, tmp_path: Path) -> None:
        """The table ends with the resume to type; --force makes a sound journal anew."""
        assert finish(*simulated(tmp_path, QUICK, 1)).code == 0
        ended = finish("recover", tmp_path / "out", "--offline", "--force")
        assert (ended.code, "Go on with: face-recovery resume" in ended.out) == (0, True)
        assert "kept as journal.jsonl.lost-1" in ended.out


class TestCancel:
    def test_what_is_in_flight(self, tmp_path: Path) -> None:
        """Exit code 3 when all have ended and some are cancelled; the counts add up, and a retry sends them again."""
        assert interrupted(tmp_path, 3).summary["in_flight"] == 3
        ended = finish("cancel", tmp_path / "out", "--json")
        assert (ended.code, ended.summary["cancelled"], ended.summary["failed"]) == (3, 3, 3)
        assert ended.summary["exit_code"] == 3
        assert_adds_up(ended.summary)
        assert ended.summary["credits_charged"] == 0
        simulation(tmp_path, QUICK)
        again = finish("retry-failed", tmp_path / "out", "--reason", "cancelled", "--json", "--quiet")
        assert (again.code, again.summary["done"]) == (0, 3)

    def test_what_was_not_sent(self, tmp_path: Path) -> None:
        """Exit code 4 while jobs wait to be sent, though none is in flight any more: a resume has them to do."""
        engine = Running.start(*simulated(tmp_path, SLOW, 3), "--json", "--max-in-flight", "2")
        try:
            run = tmp_path / "out" / ".face-recovery"
            engine.until(lambda: len(events(run, "accepted")) == 2, "two are accepted")
            engine.signal(signal.SIGINT)
            engine.ended()
        finally:
            engine.stop()
        ended = finish("cancel", tmp_path / "out", "--json")
        numbers = [ended.summary[name] for name in ("cancelled", "failed", "in_flight", "waiting", "exit_code")]
        assert (ended.code, numbers) == (4, [2, 2, 0, 1, 4])

    def test_nothing_in_flight(self, finished: Path) -> None:
        """A finished run has nothing to cancel: exit code 0, and no service is started for it."""
        ended = finish("cancel", finished / "out")
        assert (ended.code, "0  cancelled of 0 in flight" in ended.out) == (0, True)

    def test_with_the_first_ctrl_c(self, tmp_path: Path) -> None:
        """`restore --cancel-remote` leaves nothing in flight behind, and says how much it cancelled."""
        ended = interrupted(tmp_path, 3, "--cancel-remote")
        assert (ended.code, ended.summary["in_flight"], ended.summary["failed"]) == (4, 0, 3)
        assert ended.summary["reasons"] == {"cancelled": 3}
        assert "3 of 3 in flight were cancelled" in ended.summary["notes"][-1]


class TestJournalShow:
    def test_the_last_events(self, finished: Path) -> None:
        """`--tail` shows the last ones, of all jobs or of one."""
        whole = finish("journal", "show", finished / "out", "--raw").out.splitlines()
        assert finish("journal", "show", finished / "out", "--raw", "--tail", "3").out.splitlines() == whole[-3:]
        assert finish("journal", "show", finished / "out", "--raw", "--tail", "999").out.splitlines() == whole
        assert finish("journal", "show", finished / "out", "--tail", "0").out == ""
        one = [line for line in whole if '"job":2,' in line]
        tail = finish("journal", "show", finished / "out", "--raw", "--tail", "2", "--job", "2")
        assert tail.out.splitlines() == one[-2:]

    def test_following(self, finished: Path, tmp_path: Path) -> None:
        """`--follow` prints lines as they are whole, begins anew with a new journal, and Ctrl-C is exit code 0."""
        journal = finished / "out" / ".face-recovery" / "journal.jsonl"
        copy = tmp_path / "journal.jsonl"
        (tmp_path / "run.toml").write_bytes(journal.with_name("run.toml").read_bytes())
        lines = journal.read_bytes().splitlines(keepends=True)
        copy.write_bytes(b"".join(lines[:2]) + lines[2][:9])
        shown = tmp_path / "shown"
        engine = Running.start("journal", "show", tmp_path, "--raw", "--follow", "--tail", "1", into=shown)
        try:
            engine.until(lambda: shown.read_bytes() == lines[1], "the last line is shown")
            with copy.open("ab") as file:
                file.write(lines[2][9:] + lines[3])
            engine.until(lambda: shown.read_bytes() == b"".join(lines[1:4]), "the new lines are shown")
            copy.write_bytes(lines[0])
            engine.until(lambda: shown.read_bytes() == b"".join([*lines[1:4], lines[0]]), "it begins anew")
            engine.signal(signal.SIGINT)
            assert engine.ended().code == 0
        finally:
            engine.stop()


@pytest.mark.parametrize("command", ["verify", "retry-failed", "recover", "cancel"])
def test_help(command: str) -> None:
    """Each command explains itself, exit codes included."""
    shown = finish(command, "--help")
    assert (shown.code, "Exit codes: 0" in shown.out) == (0, True)


def test_a_run_in_use(tmp_path: Path) -> None:
    """What changes a run is refused while another process works on it; what reads only is not."""
    run = tmp_path / "out" / ".face-recovery"
    engine = Running.start(*simulated(tmp_path, SLOW, 2))
    try:
        engine.until(lambda: len(events(run, "accepted")) == 2, "all are accepted")
        for command in (("cancel",), ("recover", "--offline", "--force")):
            ended = finish(command[0], tmp_path / "out", *command[1:])
            assert (ended.code, "in use" in ended.err) == (2, True)
        looked = finish("verify", tmp_path / "out", "--json")
        assert (looked.code, looked.summary["not_done"]) == (0, 2)
    finally:
        engine.stop()
        until(lambda: not any(each.is_alive for each in engine.family), "the service to end")
