"""`demo`: damage a public-domain portrait in several ways, restore it for real, draw a before/after sheet."""

import shutil
from pathlib import Path

from engine.backend import check_backend
from engine.commands.restore import Globs, Output, Outputs, restore
from engine.commands.terminal import print_line
from engine.demo.contact_sheet import Row, draw
from engine.demo.damage import Sample, make_damaged
from engine.errors import UsageError

__all__ = ["demo"]

_PARTS = ("damaged", "restored", "originals", "contact-sheet.png")  # all that a demo leaves in its folder


def demo(out: Path) -> int:
    """Make, restore and draw everything in `out`; return the exit code of the first restoration that did not work."""
    check_backend("local")
    _clear(out)
    samples = make_damaged(out / "damaged")
    for width in sorted({sample.output_width for sample in samples}):
        wanted = [sample for sample in samples if sample.output_width == width]
        print_line(f"\nrestoring {', '.join(sample.path.name for sample in wanted)}, {width} px wide")
        code = _restore(wanted, out / "restored", width)
        if code:
            return code
    sheet = out / "contact-sheet.png"
    draw([_row(sample, out / "restored") for sample in samples], sheet)
    print_line(f"\nbefore and after: {sheet}")
    return 0


def _clear(out: Path) -> None:
    """Make room for the demo's own files; a folder that holds anything else is left alone."""
    try:
        for path in out.iterdir() if out.exists() else ():
            if path.name not in _PARTS:
                raise UsageError(f"{out} holds {path.name}, which is not the demo's: choose another --out")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise UsageError(f"{out} can't be used: {error.strerror or error}") from error


def _restore(samples: list[Sample], target: Path, width: int) -> int:
    """Restore pictures that come out equally wide, exactly as `face-recovery restore` would."""
    return restore(
        [str(sample.path) for sample in samples],
        out=target,
        run_folder=target / ".face-recovery" / str(width),
        globs=Globs(),
        outputs=Outputs(),
        parameters={"output_width": width, "output_format": "png"},
        settings={"backend": "local"},
        config=None,
        output=Output(),
    )


def _row(sample: Sample, restored: Path) -> Row:
    after = restored / sample.path.with_suffix(".png").name
    return Row(
        title=sample.title,
        description=sample.description,
        before=sample.path,
        after=after,
        original=sample.original,
        close_up=sample.close_up,
    )
