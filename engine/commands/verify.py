"""`verify`: every output of a run against its recorded hash, size and dimensions; offline, and nothing is changed."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from engine.commands.counting import counting
from engine.commands.restore import Output
from engine.commands.terminal import print_json, print_line, results, screen
from engine.errors import UsageError
from engine.pipeline.inspection import look
from engine.pipeline.order import Order
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.summary import ExitCode
from engine.pipeline.verify import Bad, Verified
from engine.pipeline.verify import verify as check
from engine.report import verified_table

__all__ = ["verify"]

_SHOWN = 20


def verify(run: Path, list_file: Path | None, output: Output) -> int:
    """Check the outputs of the run in `run`; return 3 when one of them is not as it was recorded.

    With `list_file` all such are written there, one JSON object a line.
    """
    folder = RunFolder.find(run.absolute())
    order = Order.load(folder.order)
    tally, summary = look(folder, order)
    listed: list[Bad] = []
    with _list(list_file) as write, counting(None if output.is_quiet else screen(), summary.done, "outputs") as tell:

        def on_bad(bad: Bad) -> None:
            write(bad)
            if output.is_json or len(listed) < _SHOWN:
                listed.append(bad)

        counts = Verified()
        try:
            for counts in check(folder, order.out, tally, on_bad):
                tell(counts.verified + counts.bad)
        except KeyboardInterrupt:
            print_line("interrupted: nothing was changed", is_error=True)
            return ExitCode.INTERRUPTED
    code = ExitCode.FAILED_JOBS if counts.bad else ExitCode.DONE
    if output.is_json:
        numbers = {"verified": counts.verified, "bad": counts.bad, "failed": summary.failed}
        left = {"planned": summary.planned, "not_done": summary.in_flight + summary.waiting, "exit_code": int(code)}
        where = {"run_id": summary.run_id, "run": summary.run, "out": summary.out}
        print_json({**where, **numbers, **left, "outputs": [bad.record() for bad in listed]})
    else:
        results().print(verified_table(summary, counts, listed, list_file))
    return code


@contextlib.contextmanager
def _list(path: Path | None) -> Iterator[Callable[[Bad], None]]:
    if path is None:
        yield lambda _bad: None
        return
    try:
        file = path.open("wb")
    except OSError as error:
        raise UsageError(f"--list {path} can't be written: {error.strerror or error}") from error
    with file:
        yield lambda bad: file.writelines((orjson.dumps(bad.record()), b"\n"))
