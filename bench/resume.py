"""How long until a run of a million jobs goes on after a stop, and in how much memory?

Makes run folders as the engine leaves them, 99.9 % of the jobs done, some in flight, some planned, and opens each
several times in a fresh process: from the first look at the folder until the first planned job could be submitted.
Imports are not in the seconds, but in the peak memory. Three ways to begin: from the journal alone, from the snapshot
that a run leaves at its end, and from one as old as snapshots get while a run goes on.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.machine import read_machine
from bench.spread import spread_of
from engine.inputs.scan import Sizing
from engine.job.outcome import Outcome, Timings
from engine.job.parameters import FaceRecovery
from engine.job.spec import JobSpec
from engine.job.state import State
from engine.job.still import Still
from engine.journal.line import Record, encode
from engine.journal.replay import Reading
from engine.pipeline.opening import resume
from engine.pipeline.order import Order
from engine.pipeline.past import replay
from engine.pipeline.plan import Place, pick
from engine.pipeline.results import result_row, rewrite_results
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.snapshot import FrozenPlan, Reach, Snapshot, save_snapshot
from engine.pipeline.snapshots import lines_between
from engine.settings import Settings

Figures = dict[str, dict[str, dict[str, float]]]  # by the way to begin, then seconds or peak_mb: median, min, max

STARTED = 1_760_000_000.0
IN_FLIGHT = 256  # the default of max_in_flight, which is also how far intents run ahead of results
WAYS = ("journal alone", "fresh snapshot", "oldest snapshot")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to make the run folders (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.open is not None:
        print(json.dumps(open_once(RunFolder(arguments.open))))
        return
    figures = {jobs: measure(jobs, arguments.repeats, arguments.folder) for jobs in arguments.jobs}
    report(figures, arguments.repeats, is_json=arguments.json)


def measure(jobs: int, repeats: int, parent: Path | None) -> Figures:
    """Return seconds and megabytes for each way to begin, measured in turns."""
    with tempfile.TemporaryDirectory(prefix="face-recovery-resume-", dir=parent) as path:
        folder = RunFolder(Path(path))
        snapshots = make_run(folder, jobs)
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _repeat in range(repeats):
            for way in WAYS:
                folder.snapshot.unlink(missing_ok=True)
                if snapshots[way]:
                    folder.snapshot.write_bytes(snapshots[way])
                found[way].append(open_in_process(folder))
    return {way: {name: spread_of(each[name] for each in of) for name in of[0]} for way, of in found.items()}


def open_in_process(folder: RunFolder) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.resume", "--open", str(folder.path)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def open_once(folder: RunFolder) -> dict[str, float]:
    """Do what `run` and `feed` do before the first planned job can be submitted."""
    started = time.perf_counter()
    with resume(folder, {}) as opened:
        past = opened.past
        rewrite_results(folder, past.tally, past.since)
        numbers = iter((past.tally.states.find(State.PLANNED, past.place.number),))
        next(pick(folder.plan, numbers, past.place))
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {"seconds": seconds, "peak_mb": peak / 1e6}


def make_run(folder: RunFolder, jobs: int) -> dict[str, bytes]:
    """Write plan, journal and results of `jobs` jobs into `folder`; return the snapshot for each way to begin."""
    order = Order(
        run_id="0123456789", inputs=("/data",), out=folder.path, sizing=Sizing(FaceRecovery()), settings=Settings()
    )
    order.save(folder.order)
    write(folder.plan, (encode(spec_of(number).record()) for number in range(jobs)))
    records = list_of_events(jobs)
    older = 3 * (jobs - jobs // 1000) - lines_between(jobs)
    marks = ({"event": "opened"}, {"event": "planning"}, {"event": "planned", "jobs": jobs})
    write_events(folder, marks)
    write_events(folder, (next(records) for _line in range(older)))
    snapshots = {"journal alone": b"", "oldest snapshot": snapshot_of(folder)}
    write_events(folder, records)
    return {**snapshots, "fresh snapshot": snapshot_of(folder)}


def write_events(folder: RunFolder, records: Iterable[Record]) -> None:
    """Append `records` to the journal, and a row to the results for each job that is done."""
    with folder.journal.open("ab") as journal, folder.results.open("ab") as results:
        for number, record in enumerate(records):
            journal.write(encode({"at": round(STARTED + number / 300, 3), **record}))
            if record["event"] == "done":
                results.write(encode(result_row(record)))


def write(path: Path, lines: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.writelines(lines)


def list_of_events(jobs: int) -> Iterator[Record]:
    """Yield what a run that was killed has journaled: results follow their intents by as many jobs as are in flight."""
    left = max(2, jobs // 1000)
    in_flight = min(IN_FLIGHT, left // 2)
    done = jobs - left
    for number in range(done + in_flight):
        spec = spec_of(number)
        intent = {"attempt": 1, "credits": spec.credits, "input_sha256": sha_of(number)}
        yield {"job": number, "event": "intent", **intent}
        yield {"job": number, "event": "accepted", "process_id": f"{number:032x}", "eta": STARTED + number / 100}
        if number >= in_flight:
            row = outcome_of(number - in_flight).record()
            members = {name: value for name, value in row.items() if name not in ("job", "status")}
            yield {"job": row["job"], "event": "done", **members}


def spec_of(number: int) -> JobSpec:
    name = f"{number // 1000:04d}/portrait-{number:07d}.jpg"
    return JobSpec(
        number=number,
        source=f"/data/portraits/{name}",
        output=name,
        format="jpeg",
        size_bytes=200_000 + number,
        width=1024,
        height=1365,
        credits=1,
    )


def outcome_of(number: int) -> Outcome:
    spec = spec_of(number)
    return Outcome(
        number=number,
        source=spec.source,
        output=spec.output,
        process_id=f"{number:032x}",
        credits=1,
        faces=1,
        attempts=1,
        input_sha256=sha_of(number),
        output_sha256=sha_of(-number - 1),
        output_bytes=300_000 + number,
        output_width=spec.width,
        output_height=spec.height,
        timings=Timings(submit_s=0.041, remote_s=3.207, download_s=0.113),
    )


def sha_of(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**256:064x}"


def snapshot_of(folder: RunFolder) -> bytes:
    """Let the engine's own code write the snapshot that it would have taken now."""
    reading = Reading()
    tally, marks, _since = replay(folder, reading)
    snapshot = Snapshot(
        still=Still.of(tally),
        marks=marks,
        journal=Reach(reading.sound_bytes, reading.lines),
        results=Reach(folder.results.stat().st_size, tally.ended),
        plan=FrozenPlan.of(folder.plan, marks.planned or 0),
    )
    save_snapshot(folder, snapshot, Place())
    data = folder.snapshot.read_bytes()
    folder.snapshot.unlink()
    return data


def report(figures: dict[int, Figures], repeats: int, *, is_json: bool) -> None:
    machine = read_machine()
    if is_json:
        print(json.dumps({"machine": machine.record(), "repeats": repeats, "jobs": figures}))
        return
    print(machine)
    print(f"median of {repeats} fresh processes (from least to most); peak memory includes interpreter and libraries")
    for jobs, ways in figures.items():
        for way, of in ways.items():
            print(f"{jobs:>12,} jobs, {way:<16} {text_of(of['seconds'], 2)} s, {text_of(of['peak_mb'], 0)} MB")


def text_of(spread: dict[str, float], digits: int) -> str:
    return f"{spread['median']:.{digits}f} ({spread['min']:.{digits}f} to {spread['max']:.{digits}f})"


if __name__ == "__main__":
    main()
