"""A process of its own for one measurement: a task in on standard input, a report out on standard output.

Only the client that is measured gets imported, so that nobody's memory holds another one's libraries.
"""

import importlib
import resource
import sys
import time

from bench.memory import peak_bytes, resident_bytes
from bench.task import Report, Task, mean_and_p95


def main() -> None:
    task = Task.of_json(sys.stdin.buffer.read())
    client = importlib.import_module(f"bench.clients.{task.client}")
    memory_before = resident_bytes()
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    counts = client.run(task)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    memory_peak = peak_bytes()
    if hasattr(client, "read_delays_s"):
        counts.delays_s = client.read_delays_s(task)
    delay_mean_s, delay_p95_s = mean_and_p95(counts.delays_s)
    report = Report(
        done=counts.done,
        seconds=seconds,
        user_s=after.ru_utime - before.ru_utime,
        system_s=after.ru_stime - before.ru_stime,
        memory_before_bytes=memory_before,
        memory_peak_bytes=memory_peak,
        status_requests=counts.status_requests,
        delay_mean_s=delay_mean_s,
        delay_p95_s=delay_p95_s,
        more=counts.more,
    )
    sys.stdout.buffer.write(report.to_json() + b"\n")


if __name__ == "__main__":
    main()
