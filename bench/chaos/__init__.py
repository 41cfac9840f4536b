"""Kill the engine and its service, over and over, and audit what is left against the service's own ledger.

`steps` names the moments at which an engine can die, `schedule` says how each of its lives ends, `doomed` is the engine
that dies there, `service` the simulated service that is killed beside it, `round` lives those lives until one run is
done, `campaign` has as many rounds as it takes, `audit` counts what was lost or paid twice, and `sabotage` proves that
the audit would see it.
"""
