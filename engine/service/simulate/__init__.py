"""The face model replaced by a seeded model of latency, results and faults: for benchmarks and chaos tests.

`simulation` is what it is told; `dice`, `latency` and `token_bucket` decide, purely; `crew` has jobs end when the model
says so, `pictures` makes their results, `faults` troubles the clients, `strangers` fill the listing, `journal` is
written but not synced. Everything else is the service as it is.
"""
