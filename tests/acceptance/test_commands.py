"""What each command promises on a command line: exit codes, what is printed, what is left on disk."""

import stat
from pathlib import Path

import pytest
from PIL import Image

from engine.service.credits import read_ledger
from tests.acceptance.conftest import Served
from tests.acceptance.pictures import claiming
from tests.acceptance.program import (
    KEY,
    Finished,
    command_lines,
    content,
    events,
    finish,
    portraits,
    rows,
)


@pytest.fixture(scope="module")
def out(inputs: Path) -> Path:
    return inputs.with_name("out")


@pytest.fixture(scope="module")
def restored(inputs: Path, out: Path, served: Served) -> Finished:
    """A run that ended well."""
    return finish("restore", inputs, "--out", out, "--scale", "1.5", "--json", *served.options, env=served.env)


class TestARunThatEndsWell:
    def test_exit_code_and_summary(self, restored: Finished, out: Path) -> None:
        """All done is exit code 0, and `--json` prints exactly one JSON object on standard output."""
        assert (restored.code, restored.err) == (0, "")
        assert restored.summary["exit_code"] == 0
        counts = {name: restored.summary[name] for name in ("planned", "done", "failed", "in_flight", "waiting")}
        assert counts == {"planned": 3, "done": 3, "failed": 0, "in_flight": 0, "waiting": 0}
        assert restored.summary["out"] == str(out)

    def test_scale_multiplies_each_side(self, restored: Finished, out: Path) -> None:
        """`--scale 1.5` makes 96 pixels of 64."""
        for name in ("face 00.jpg", "face 01.jpg", "face 02.jpg"):
            with Image.open(out / name) as image:
                assert (image.format, image.size) == ("JPEG", (96, 96))

    def test_results_say_what_happened(self, restored: Finished, out: Path) -> None:
        """A result row has input, output, process id, faces, credits, timings, attempts and both hashes."""
        for row in rows(out / ".face-recovery"):
            assert row["status"] == "done"
            assert {"source", "output", "process_id", "timings", "warnings"} >= row.keys() & {"warnings"}
            assert (row["faces"], row["credits"], row["attempts"]) == (1, 1, 1)
            assert len(row["input_sha256"]) == len(row["output_sha256"]) == 64
            assert row["timings"].keys() == {"submit_s", "remote_s", "unseen_s", "download_s"}

    def test_status_afterwards(self, restored: Finished, out: Path) -> None:
        """`status` finds the same in the files, given the run folder or the output folder it lies in."""
        for where in (out, out / ".face-recovery"):
            shown = finish("status", where, "--json")
            assert (shown.code, shown.summary["done"], shown.summary["faces"]) == (0, 3, 3)
        assert "3  done of 3" in finish("status", out).out

    def test_again_does_nothing(self, restored: Finished, inputs: Path, out: Path, served: Served) -> None:
        """The same command once more sends nothing, and so does a resume from another folder."""
        accepted = read_ledger(served.folder).accepted
        again = finish("restore", inputs, "--out", out, "--scale", "1.5", "--json", *served.options, env=served.env)
        resumed = finish("resume", out.name, "--json", "--quiet", env=served.env, cwd=out.parent)
        for ended in (again, resumed):
            assert (ended.code, ended.summary["done"], ended.summary["ended_now"]) == (0, 3, 0)
        assert read_ledger(served.folder).accepted == accepted

    def test_other_parameters_are_another_run(
        self, restored: Finished, inputs: Path, out: Path, served: Served
    ) -> None:
        """A run folder is never continued with other parameters."""
        other = finish("restore", inputs, "--out", out, "--strength", "0.5", *served.options, env=served.env)
        assert other.code == 2
        assert "parameters" in other.err

    def test_journal_show(self, restored: Finished, out: Path) -> None:
        """`journal show` has a line for each event, `--job` those of one job, `--raw` the JSON that proves itself."""
        everything = finish("journal", "show", out)
        assert everything.code == 0
        assert everything.out.count(" accepted ") == 3
        one = finish("journal", "show", out, "--job", "1").out.splitlines()
        assert [line.split()[2:4] for line in one] == [["1", "intent"], ["1", "accepted"], ["1", "done"]]
        raw = finish("journal", "show", out, "--raw").out
        assert raw == (out / ".face-recovery" / "journal.jsonl").read_text()

    def test_journal_show_of_a_job_that_is_not_there(self, restored: Finished, out: Path) -> None:
        """A job without events is said to have none."""
        assert "nothing of job 99" in finish("journal", "show", out, "--job", "99").err

    def test_the_key_is_nowhere(self, restored: Finished, out: Path, served: Served) -> None:
        """The key stands in no file of run or service, in no output and in no command line."""
        assert restored.code == 0
        assert KEY.encode() not in content(out) + content(served.folder.parent)
        assert KEY not in restored.out + restored.err
        assert not [line for line in command_lines() if KEY in line]


def test_formats_and_globs(inputs: Path, tmp_path: Path, served: Served) -> None:
    """`--output-format` decides format and extension, `--include` and `--exclude` which files of a folder count."""
    globs = ("--include", "*.JPG", "--exclude", "*02*")
    for name, suffix, form in (("tiff", ".tif", "TIFF"), ("png", ".png", "PNG")):
        out = tmp_path / name
        ended = finish("restore", inputs, "-o", out, "--output-format", name, *globs, *served.options, env=served.env)
        assert ended.code == 0, ended.err
        assert sorted(path.name for path in out.glob("*.*") if path.is_file()) == [
            "face 00" + suffix,
            "face 01" + suffix,
        ]
        with Image.open(out / ("face 00" + suffix)) as image:
            assert image.format == form


def test_credits_that_run_out(inputs: Path, tmp_path: Path, served: Served) -> None:
    """At `--max-credits` the run stops with exit code 5, and a resume with more finishes it."""
    out = tmp_path / "out"
    first = finish("restore", inputs, "-o", out, "--max-credits", "2", "--json", *served.options, env=served.env)
    assert (first.code, first.summary["done"], first.summary["waiting"]) == (5, 2, 1)
    assert "--max-credits 2" in first.summary["message"]
    rest = finish("resume", out, "--max-credits", "3", "--json", "--quiet", env=served.env)
    assert (rest.code, rest.summary["done"], rest.summary["credits_charged"]) == (0, 3, 3)


def test_a_key_that_is_refused(inputs: Path, tmp_path: Path, served: Served) -> None:
    """A wrong key is exit code 6 and not printed; with the right one a resume does all."""
    out = tmp_path / "out"
    wrong = {"FACE_RECOVERY_API_KEY": "not-the-key-0815"}
    first = finish("restore", inputs, "-o", out, *served.options, env=wrong)
    assert first.code == 6
    assert "check the key" in first.out
    assert "not-the-key-0815" not in first.out + first.err
    assert b"not-the-key-0815" not in content(out)
    assert finish("resume", out, "--json", "--quiet", env=served.env).summary["done"] == 3


def test_bad_changes_of_a_resume(restored: Finished, out: Path, served: Served) -> None:
    """A resume checks its options as a restore does."""
    ended = finish("resume", out, "--max-in-flight", "0", env=served.env)
    assert (ended.code, ended.err) == (2, "error: --max-in-flight: 0 is not a whole number from 1 to 100000\n")


def test_estimate(tmp_path: Path) -> None:
    """An estimate adds up pictures, megapixels and credits from headers alone, and a URL at one credit."""
    folder = portraits(tmp_path / "in", 2)
    (folder / "large.png").write_bytes(claiming(8_000, 4_000))
    (folder / "none.jpg").write_text("no picture")
    estimate = finish("estimate", folder, "http://example.invalid/a.jpg", "--json").summary
    assert (estimate["images"], estimate["urls"], estimate["refused"]) == (4, 1, 1)
    assert estimate["credits"] == 1 + 1 + 2 + 1  # 32 MP cost 2
    assert estimate["output_megapixels"] == pytest.approx(32.008, abs=0.001)
    assert estimate["reasons"] == {"is not an image; JPEG, PNG and TIFF are supported": 1}
    doubled = finish("estimate", folder, "--scale", "2", "--exclude", "large*", "--json").summary
    assert (doubled["credits"], doubled["output_megapixels"]) == (2, pytest.approx(0.033, abs=0.001))
    chained = finish("estimate", folder, "--then", "enhance", "--output-width", "6000", "--exclude", "large*", "--json")
    assert (chained.summary["credits"], chained.summary["output_megapixels"]) == (2 * (1 + 2), 72.0)
    assert "4  pictures" not in finish("estimate", folder, "--include", "face*").out


def test_a_run_folder_elsewhere(inputs: Path, tmp_path: Path, served: Served) -> None:
    """`--run` places the run folder; the output folder then holds outputs only. State is the owner's alone to read."""
    out, run = tmp_path / "out", tmp_path / "state" / "run"
    arguments = ("restore", inputs / "face 00.jpg", "-o", out, "--run", run, *served.options)
    assert finish(*arguments, env=served.env).code == 0
    assert [path.name for path in out.iterdir()] == ["face 00.jpg"]
    assert stat.S_IMODE(run.stat().st_mode) == 0o700
    assert len(events(run, "done")) == 1
    assert finish("status", run, "--json").summary["done"] == 1


def test_serve_does_not_show_its_key(served: Served) -> None:
    """A key given to `serve` travels in the environment it was given in, and is handed on to no worker."""
    children = Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()
    assert children
    for pid in children:
        assert KEY.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
