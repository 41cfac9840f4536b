"""Where does a client's CPU go? Samples of py-spy while it works, summed by function.

Only moments count in which a thread holds the interpreter (`--gil`), so waiting threads and system calls that give it
back (syncs, large writes) are not in the sums. `self` is a function's own share, `whole` the share of moments in which
it was on a stack. Sampling slows the client down: take no timings from here.
"""

import argparse
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.command import Bench, Column, figures_table, parser_of
from bench.contest import Contender, open_course
from bench.spread import spread_of

_UP_BYTES, _DOWN_BYTES = 20_000, 60_000
_SAMPLES_A_S = 500
_LINE = re.compile(r":\d+\)$")


def main() -> None:
    parser = parser_of(__doc__, repeats=1)
    parser.add_argument("--client", default="engine", help="a module of bench.clients without options")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--latency", default="fixed:0")
    parser.add_argument("--result-bytes", type=int, default=_DOWN_BYTES)
    parser.add_argument("--top", type=int, default=30)
    arguments = parser.parse_args()
    bench = Bench(arguments)
    with open_course() as course:
        samples = course.folder / "samples.txt"
        jobs = course.inputs(arguments.jobs, _UP_BYTES)
        course.rounds([_contender(arguments, jobs, _py_spy(samples))], 1)
        stacks = list(_stacks(samples.read_text().splitlines()))
    own, whole = _shares((stack[-1:], count) for stack, count in stacks), _shares(stacks)
    functions = {name: {"self": own.get(name, 0.0), "whole": share} for name, share in whole.items()}
    settings = {"client": arguments.client, "jobs": arguments.jobs, "latency": arguments.latency}
    lines = _lines(functions, arguments.top)
    bench.show({"bench": "hotspots", "settings": settings, "functions": functions}, lines)


def _contender(arguments: argparse.Namespace, jobs: Path, wrapper: tuple[str, ...]) -> Contender:
    return Contender(
        name=arguments.client,
        client=arguments.client,
        jobs=jobs,
        in_flight=256,
        service=("--latency", arguments.latency, "--result-bytes", str(arguments.result_bytes)),
        wrapper=wrapper,
    )


def _py_spy(samples: Path) -> tuple[str, ...]:
    found = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if found is None:
        raise SystemExit("py-spy is not installed: pip install py-spy")
    return (found, "record", "--gil", "--rate", str(_SAMPLES_A_S), "--format", "raw", "--output", str(samples), "--")


def _stacks(lines: Iterable[str]) -> Iterator[tuple[list[str], int]]:
    """Yield the stacks below the measured `run`, outermost function first, with how often each was seen."""
    for line in lines:
        stack, _space, count = line.rpartition(" ")
        functions = [_LINE.sub(")", each) for each in stack.split(";")]
        if any(each.startswith(("run (bench/clients", "_WorkItem.run")) for each in functions):
            yield functions, int(count)


def _shares(stacks: Iterable[tuple[list[str], int]]) -> dict[str, float]:
    """Return in what share of the moments each function was on a stack."""
    counts: Counter[str] = Counter()
    total = 0
    for functions, count in stacks:
        total += count
        for each in set(functions):
            counts[each] += count
    return {name: count / total for name, count in counts.most_common()}


def _lines(functions: dict[str, dict[str, float]], top: int) -> list[str]:
    lines = []
    for kind in ("self", "whole"):
        ranked = sorted(functions, key=lambda name: -functions[name][kind])[:top]
        figures = {name: {kind: spread_of([functions[name][kind]])} for name in ranked}
        lines += [*figures_table(figures, (Column(kind, kind, ".1%"),)), ""]
    return lines


if __name__ == "__main__":
    main()
