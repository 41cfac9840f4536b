"""Clients that benches measure, one a file: each has `run(task) -> Counts` and imports what it needs and no more.

One that keeps its delays in a file has `read_delays_s(task)`, which is called after the measurement.
"""
