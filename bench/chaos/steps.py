"""The named steps of a run at which the engine is killed. Pure.

A step is a place and a moment: `intent line: torn` is half of a write of the journal that holds an intent. Places of a
job are passed many times in a process, those of a process about once, those of a beginning before a run has a plan,
those of a torn run when it is opened again.
"""

__all__ = ["CALLS", "LINES", "OF_A_BEGINNING", "OF_A_JOB", "OF_A_PROCESS", "OF_A_TORN_RUN", "STEPS", "lines_in"]

# What a write of the journal holds, by the events that are in it. A group may hold several.
LINES = {"intent": b'"event":"intent"', "accepted": b'"event":"accepted"', "done": b'"event":"done"'}
CALLS = ("submit", "look", "link")

_WRITE = ("before", "torn", "after")

OF_A_JOB = (
    *(f"{name} line: {moment}" for name in (*LINES, "result") for moment in _WRITE),
    *(f"{call}: {moment}" for call in CALLS for moment in ("before", "under way", "answered")),
    *(f"file: {moment}" for moment in ("before", "headers", "body")),
    *(f"part: {moment}" for moment in _WRITE),
    *(f"rename: {moment}" for moment in ("before", "linked", "after")),
)
OF_A_PROCESS = (
    *(f"mark line: {moment}" for moment in _WRITE),
    *(f"snapshot: {moment}" for moment in ("before", "after")),
)
OF_A_BEGINNING = (
    *(f"order: {moment}" for moment in ("before", "after")),
    *(f"plan line: {moment}" for moment in _WRITE),
)
OF_A_TORN_RUN = ("cut: before", "cut: after")
STEPS = OF_A_JOB + OF_A_PROCESS + OF_A_BEGINNING + OF_A_TORN_RUN


def lines_in(name: str, data: bytes) -> list[str]:
    """Return the places that a write of `data` to the file `name` of the run folder is."""
    if name != "journal.jsonl":
        return [{"plan.jsonl": "plan line", "results.jsonl": "result line"}.get(name, "")]
    found = [f"{line} line" for line, mark in LINES.items() if mark in data]
    return found or ["mark line"]
