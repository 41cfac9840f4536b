"""The embedded service: the Face Recovery 3 HTTP contract, answered by a face model on this machine.

`server` binds and stops, `gate` checks keys, `api` answers, `form` and `submit` turn an upload into a submission,
`job_store` remembers it durably, `restoration` has it done by `worker` processes, `files` and `presign` hand the
result out, `credits` keeps the ledger. `parts` says what of this `simulate` puts something else in the place of.
"""
