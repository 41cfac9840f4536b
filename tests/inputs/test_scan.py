"""From what the user typed to plan lines."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.disk import path_of_text
from engine.errors import InputError, UsageError
from engine.inputs.folder import Globs
from engine.inputs.naming import Namer
from engine.inputs.scan import Sizing, Sources, candidates, check_inputs, scan
from engine.job.enhance import Enhance
from engine.job.parameters import FaceRecovery, OutputFormat
from engine.job.spec import JobSpec
from engine.journal.line import decode, encode


def _scan(
    *inputs: str | Path, sizing: Sizing | None = None, sources: Sources | None = None, **options
) -> list[JobSpec]:
    found = candidates([str(each) for each in inputs], Globs(), ())
    return list(
        scan(found, sizing or Sizing(FaceRecovery()), Namer(OutputFormat.JPEG), sources or Sources(), **options)
    )


def test_a_picture_becomes_a_plan_line(tmp_path: Path, jpeg: bytes):
    """The line says what is sent, how large it is, what it costs and where it goes."""
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg)
    (spec,) = _scan(path)
    assert spec == JobSpec(
        number=0,
        source=str(path),
        output="a.jpg",
        format="jpeg",
        size_bytes=len(jpeg),
        width=40,
        height=30,
        credits=1,
    )


def test_inputs_are_taken_in_order_and_numbered(tmp_path: Path, jpeg: bytes):
    """Folders, files, lists and URLs stand in the plan as they were typed."""
    for name in ("z.jpg", "f/b.jpg", "f/a.jpg", "l/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(jpeg)
    (tmp_path / "l" / "list.txt").write_text("c.jpg\nhttps://example.org/d.jpg\n")
    specs = _scan(tmp_path / "z.jpg", tmp_path / "f", tmp_path / "l" / "list.txt", "http://example.org/e")
    assert [spec.output for spec in specs] == ["z.jpg", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    assert [spec.number for spec in specs] == list(range(6))
    assert [spec.credits for spec in specs if spec.is_url] == [1, 1]


def test_a_refused_input_keeps_its_line_and_its_reason(tmp_path: Path, jpeg: bytes):
    """Nothing is passed over: a text beside the pictures has a line that says why it has no output."""
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.md").write_text("hello")
    specs = _scan(tmp_path)
    assert [(spec.output, spec.reason) for spec in specs] == [
        ("a.jpg", ""),
        ("", "is empty (0 bytes)"),
        ("", "is not an image; JPEG, PNG and TIFF are supported"),
    ]


def test_a_picture_named_twice_is_restored_once(tmp_path: Path, jpeg: bytes):
    """By a folder and again by itself, or on two lines of a list: one job, one price."""
    (tmp_path / "a.jpg").write_bytes(jpeg)
    (tmp_path / "list.list").write_text("a.jpg\nhttp://h/x.jpg\n./a.jpg\nhttp://h/x.jpg\n")
    specs = _scan(tmp_path / "a.jpg", tmp_path / "list.list", tmp_path / "a.jpg")
    assert [spec.source for spec in specs] == [str(tmp_path / "a.jpg"), "http://h/x.jpg"]


def test_known_sources_are_passed_over_and_numbering_goes_on(tmp_path: Path, jpeg: bytes):
    """A plan that is continued gets lines for what it lacks, and no number twice."""
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(jpeg)
    sources = Sources()
    sources.take(str(tmp_path / "a.jpg"))
    (spec,) = _scan(tmp_path, first_number=10, sources=sources)
    assert (spec.number, spec.output) == (10, "b.jpg")


def test_relative_inputs_are_planned_by_their_absolute_path(tmp_path: Path, jpeg: bytes, monkeypatch):
    """A resume may be started from another folder."""
    (tmp_path / "a.jpg").write_bytes(jpeg)
    monkeypatch.chdir(tmp_path)
    assert [spec.source for spec in _scan("a.jpg", ".")] == [str(tmp_path / "a.jpg")]


@pytest.mark.parametrize(
    "name",
    [
        b"with space.jpg",
        b" leading.jpg",
        "emoji 👩🏽‍🚀.jpg".encode(),
        "cafe\u0301.jpg".encode(),
        b"two\nlines.jpg",
        b"tab\there.jpg",
        b"caf\xe9.jpg",
        b"\xff\xfe\xfd.jpg",
        b"quote'\"`$(x).jpg",
        b"-rf.jpg",
        b"a" * 251 + b".jpg",
        "顔".encode() * 83 + b".jpg",
        b"back\\slash.jpg",
        b"percent%20.jpg",
    ],
)
def test_any_name_goes_through_the_plan_and_comes_back(tmp_path: Path, jpeg: bytes, name: bytes):
    """Whatever bytes a file system allows: the plan line leads back to the file, and to an output that can be made."""
    raw = os.fsencode(tmp_path) + b"/" + name
    try:
        with open(raw, "wb") as file:  # noqa: PTH123 -- a name in bytes
            file.write(jpeg)
    except OSError as error:
        pytest.skip(f"this file system has no such names: {error.strerror}")
    (spec,) = _scan(tmp_path)
    assert spec.reason == ""
    again = JobSpec.of_record(decode(encode(spec.record())))
    assert path_of_text(again.source).read_bytes() == jpeg
    output = tmp_path / "out" / path_of_text(again.output)
    output.parent.mkdir()
    output.with_name(output.name + ".part").write_bytes(b"")


def test_names_that_differ_in_case_or_form_have_outputs_of_their_own(tmp_path: Path, jpeg: bytes):
    """On a file system that tells them apart both are restored, to names that any file system tells apart."""
    names = ["A.jpg", "a.jpg", "\u00e9.jpg", "e\u0301.jpg"]
    for name in names:
        (tmp_path / name).write_bytes(jpeg)
    if len(os.listdir(tmp_path)) < len(names):  # noqa: PTH208 -- names, not paths
        pytest.skip("this file system does not tell them apart")
    outputs = [spec.output for spec in _scan(tmp_path)]
    folded = {unicodedata.normalize("NFC", output).casefold() for output in outputs}
    assert len(folded) == len(names)


def test_reasons_fit_into_the_plan_whatever_is_in_them(tmp_path: Path):
    """A dangling link to a name that is no UTF-8 has a reason that can be written down."""
    (tmp_path / "link.jpg").symlink_to(os.fsdecode(b"caf\xe9.jpg"))
    (spec,) = _scan(tmp_path)
    assert "dangling link" in spec.reason
    assert JobSpec.of_record(decode(encode(spec.record()))) == spec


def test_what_is_no_file_has_a_reason_and_is_never_opened(tmp_path: Path):
    """Pipes, devices behind links, loops and folders on a list end as refused lines; nothing waits for them."""
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "null.jpg").symlink_to("/dev/null")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "nul.list").write_text("..\n.\nsub/../missing.jpg\nnul.list/x.jpg\n")
    reasons = {Path(spec.source).name: spec.reason for spec in _scan(tmp_path)}
    assert reasons == {
        "gone.jpg": "is a dangling link: nowhere.jpg does not exist",
        "nul.list": "is not an image; JPEG, PNG and TIFF are supported",
        "null.jpg": "is a device, not a file",
        "pipe.jpg": "is a pipe, not a file",
        "self.jpg": "is a link that leads nowhere (a link loop)",
    }
    assert [spec.reason for spec in _scan(tmp_path / "nul.list")] == [
        "is a folder, not a file",
        "is a folder, not a file",
        "does not exist",
        "can't be read: Not a directory",
    ]


def test_files_that_may_not_be_read_have_a_reason(shared: Path, jpeg: bytes, as_somebody_else: Callable[[str], str]):
    """A locked file, and a link into a locked folder, are refused with the system's words, and no link loop."""
    folder = shared / "in"
    (folder / "locked").mkdir(parents=True)
    for name in ("a.jpg", "locked/b.jpg", "open.jpg"):
        (folder / name).write_bytes(jpeg)
    (folder / "c.jpg").symlink_to("locked/b.jpg")
    (folder / "a.jpg").chmod(0o000)
    (folder / "locked").chmod(0o000)
    try:
        said = as_somebody_else(
            "from engine.inputs.scan import *; from engine.inputs.folder import Globs\n"
            "from engine.inputs.naming import Namer; from engine.job.parameters import *\n"
            "found = candidates([str(folder / 'in'), str(folder / 'in/locked/b.jpg')], Globs(), ())\n"
            "for spec in scan(found, Sizing(FaceRecovery()), Namer(OutputFormat.JPEG), Sources()):\n"
            "    print(os.path.basename(spec.source), '|', spec.reason)"
        )
        refused = as_somebody_else(
            "from engine.inputs.scan import check_inputs; from engine.errors import UsageError\n"
            "try: check_inputs([str(folder / 'in/locked/b.jpg')])\n"
            "except UsageError as error: print(error)"
        )
    finally:
        (folder / "locked").chmod(0o700)
    assert said.splitlines() == [
        "a.jpg | can't be read: Permission denied",
        "c.jpg | can't be read: Permission denied",
        "locked | is a folder that can't be read: Permission denied",
        "open.jpg | ",
        "b.jpg | can't be read: Permission denied",
    ]
    assert refused.rstrip().endswith("in/locked/b.jpg can't be read: Permission denied")


class TestCheckInputs:
    """What is refused before anything is started."""

    def test_what_is_there_is_fine(self, tmp_path: Path):
        """Folders, files, links, even dangling ones, and URLs pass."""
        (tmp_path / "a.jpg").touch()
        (tmp_path / "l.txt").touch()
        (tmp_path / "dangling.jpg").symlink_to("gone")
        names = [tmp_path, tmp_path / "a.jpg", tmp_path / "l.txt", tmp_path / "dangling.jpg"]
        check_inputs([*map(str, names), "http://example.org/x.jpg"])

    def test_what_is_not_there_is_named(self, tmp_path: Path):
        """A misspelt path is an error that repeats it, before any money is spent."""
        (tmp_path / "a.jpg").touch()
        for name in ("gone", "a.jpg/b.jpg"):
            with pytest.raises(UsageError, match=f"{name} does not exist: INPUT is a file, a folder, "):
                check_inputs([str(tmp_path / name)])

    def test_a_name_that_no_system_takes_is_no_traceback(self, tmp_path: Path):
        """A path far too long is refused in words."""
        with pytest.raises(UsageError, match="can't be read: File name too long"):
            check_inputs([str(tmp_path / ("x" * 5000))])

    def test_an_empty_input_is_not_the_current_folder(self):
        """An unset shell variable does not restore whatever lies around."""
        with pytest.raises(UsageError, match="an INPUT is empty"):
            check_inputs([""])

    def test_a_list_that_leads_nowhere_is_refused_at_once(self, tmp_path: Path):
        """A dangling list is found before anything is started, not in the middle of the run."""
        (tmp_path / "l.txt").symlink_to("gone.txt")
        with pytest.raises(UsageError, match=r"l\.txt can't be read"):
            check_inputs([str(tmp_path / "l.txt")])


class TestSizing:
    """How large outputs come out."""

    @pytest.mark.parametrize(
        ("scale", "size"), [(None, (40, 30)), (1, (40, 30)), (2, (80, 60)), (0.5, (20, 15)), (0.01, (1, 1))]
    )
    def test_a_scale_multiplies_both_sides(self, scale: float | None, size: tuple[int, int]):
        """Without one the size stays; no side falls below a pixel."""
        assert Sizing(FaceRecovery(), scale).output_size(40, 30) == size

    @pytest.mark.parametrize(
        ("asked", "size"),
        [
            ({}, (40, 30)),
            ({"output_width": 400}, (400, 300)),
            ({"output_width": 400, "output_height": 400}, (400, 300)),
            ({"output_width": 400, "output_height": 400, "crop_to_fill": True}, (400, 400)),
        ],
    )
    def test_the_second_stage_says_how_large_outputs_come_out(self, asked: dict, size: tuple[int, int]):
        """Not the first one, which keeps the input's size; a scale wins over both."""
        assert Sizing(FaceRecovery(output_width=7), then=Enhance(**asked)).output_size(40, 30) == size
        assert Sizing(FaceRecovery(), 2, Enhance()).output_size(40, 30) == (80, 60)

    def test_two_stages_are_priced_at_their_own_sizes(self):
        """The first at the input's, the second at the output's; a picture on the web at the least there is."""
        chained = Sizing(FaceRecovery(), then=Enhance())
        assert chained.prices(5000, 5000, (10_000, 10_000)) == (7, 5)
        assert Sizing(FaceRecovery()).prices(5000, 5000, (10_000, 10_000)) == (5, 0)
        assert chained.prices(1, 1, (1, 1)) == (2, 1)

    def test_the_parameters_count_otherwise(self):
        """One side given keeps the aspect."""
        assert Sizing(FaceRecovery(output_width=400)).output_size(40, 30) == (400, 300)

    @pytest.mark.parametrize(
        ("sizing", "width", "height"),
        [
            (Sizing(FaceRecovery(), 4), 8001, 10),
            (Sizing(FaceRecovery(), 16), 1000, 1000),
            (Sizing(FaceRecovery(output_width=32_000)), 100, 101),
            (Sizing(FaceRecovery(output_width=20_000, output_height=20_000)), 10, 10),
        ],
    )
    def test_outputs_beyond_the_models_limits_are_refused(self, sizing: Sizing, width: int, height: int):
        """Over 32,000 pixels a side or 100 megapixels, this one input is refused, with the size in the reason."""
        with pytest.raises(InputError, match=r"^would come out as \d+ x \d+ pixels; the limits are 32,000 a side"):
            sizing.output_size(width, height)

    def test_a_scaled_job_carries_its_own_size_and_price(self, tmp_path: Path, jpeg: bytes):
        """With a scale each input has its own output size; without one the run's parameters say it."""
        (tmp_path / "a.jpg").write_bytes(jpeg)
        (scaled,) = _scan(tmp_path, sizing=Sizing(FaceRecovery(), 200))
        assert (scaled.output_width, scaled.output_height, scaled.credits) == (8000, 6000, 2)
        (sized,) = _scan(tmp_path, sizing=Sizing(FaceRecovery(output_width=8000)))
        assert (sized.output_width, sized.output_height, sized.credits) == (None, None, 2)
