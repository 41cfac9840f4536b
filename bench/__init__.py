"""Benchmarks: one file a question, each run by `python -m bench.NAME`. README.md here has the table and the results."""
