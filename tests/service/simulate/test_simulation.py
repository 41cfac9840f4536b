"""What a simulation is told is checked, whoever tells it."""

import tomllib
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.service.simulate.simulation import Simulation, load_simulation

SHIPPED = Path(__file__).parents[3] / "config" / "simulated.toml"


def test_the_shipped_file_says_the_defaults():
    """config/simulated.toml lists each setting with its true default; those without one are commented out."""
    told = tomllib.loads(SHIPPED.read_text())
    assert load_simulation({}, SHIPPED) == Simulation()
    assert Simulation.model_fields.keys() - told.keys() == {"rate", "rate_burst"}
    commented = [line.removeprefix("# ") for line in SHIPPED.read_text().splitlines() if line.startswith("# rate")]
    values = tomllib.loads("\n".join(commented))
    assert Simulation.model_validate(values).limits == ((-1.0, 200.0), (20.0, 100.0), (40.0, 200.0))


def test_options_beat_the_file(tmp_path):
    """What an option says counts, what it leaves out comes from the file, and texts mean what TOML means."""
    file = tmp_path / "s.toml"
    file.write_text('rate = 5\nlatency = "fixed:1"\nrate_steps = [[0, 200], [20.5, 100]]')
    read = load_simulation({"rate": None, "seed": None}, file)
    assert (read.rate, read.latency.median_s) == (5, 1)
    asked = load_simulation({"rate": "7", "latency": "fixed:2", "rate_steps": "0:200,20.5:100"}, file)
    assert (asked.rate, asked.latency.median_s) == (7, 2)
    assert asked.rate_steps == read.rate_steps == ((0, 200), (20.5, 100))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("latency", "soon", "--latency: soon is not fixed:S"),
        ("latency", "queue:0:1:1", "--latency: queue:0:1:1 has '0' where a whole number from 1"),
        ("latency", "fixed:x", "--latency: fixed:x has 'x' where a number of at least 0"),
        ("rate", "0", "--rate: 0 should be greater than 0"),
        ("rate_burst", "0.5", "--rate-burst: 0.5 should be greater than or equal to 1"),
        ("rate_steps", "20", "--rate-steps: 20 is not S:N,S:N,..."),
        ("rate_steps", "0:fast", "--rate-steps: fast should be a valid number"),
        ("server_errors", "1.1", "--server-errors: 1.1 should be less than or equal to 1"),
        ("result_bytes", "100000001", "--result-bytes: 100000001 should be less than"),
        ("listing_order", "sorted", "--listing-order: sorted should be 'newest', 'oldest' or 'random'"),
        ("old_rows", "many", "--old-rows: many should be a valid integer"),
        ("eta_noise", "nan", "--eta-noise: nan should be"),
    ],
)
def test_a_bad_option_is_one_clear_line(name, value, words):
    """The error names the option, the value and what would be right."""
    with pytest.raises(UsageError) as refused:
        load_simulation({name: value})
    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("speed = 1", "speed in .*s.toml: there is no such setting"),
        ("seed = -1", "seed in .*s.toml: -1 should be"),
        ("seed = ", "s.toml is not TOML"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path, text, words):
    """An error in a file names the file."""
    (tmp_path / "s.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        load_simulation({}, tmp_path / "s.toml")
    with pytest.raises(UsageError, match="can't be read: No such file"):
        load_simulation({}, tmp_path / "nowhere.toml")
