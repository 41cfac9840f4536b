"""The errors' own promises: whose fault, may a repeat help, one line for the user."""

import pytest

from engine.errors import EngineError, Fault, InputError, MachineError, MissingExtra, UsageError


@pytest.mark.parametrize(
    ("error", "fault", "retry_helps"),
    [
        (UsageError("x"), Fault.USER, False),
        (MissingExtra("local", "serving"), Fault.USER, False),
        (InputError("x"), Fault.INPUT, False),
        (MachineError("x"), Fault.MACHINE, True),
    ],
)
def test_every_error_says_whose_fault_it_is(error: EngineError, fault: Fault, retry_helps: bool):
    """Whoever catches one knows what to do without reading its text."""
    assert (error.fault, error.retry_helps) == (fault, retry_helps)


def test_a_missing_extra_says_how_to_get_it():
    """The line is a command that can be pasted."""
    error = MissingExtra("local", "the local backend")
    assert str(error) == "the local backend needs the extra 'local': pip install 'face-recovery-engine[local]'"
    assert error.extra == "local"
