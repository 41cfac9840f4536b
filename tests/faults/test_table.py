"""The table of faults in the docs names tests that there are."""

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_every_test_in_the_table_exists() -> None:
    """Each line of the table ends with its tests: a file, and functions in it."""
    lines = [line for line in (_ROOT / "docs" / "faults.md").read_text().splitlines() if "`tests/" in line]
    named = 0
    for line in lines:
        path = ""
        for reference in re.findall(r"`((?:tests/[\w/]+\.py::)?test_\w+)`", line):
            file, _, function = reference.rpartition("::")
            path = file or path
            assert re.search(rf"def {function}\b", (_ROOT / path).read_text()), reference
            named += 1
    assert named > 30
