"""The run: plan, submit, poll, download. `run` owns the tasks, each lane is one file, `scope` is what they share."""
