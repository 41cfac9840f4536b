"""Settings: file < environment < options, and every mistake is named with where it came from."""

import os
import re
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.job.parameters import FaceRecovery, GrainModel
from engine.settings import ENV_PREFIX, Settings, api_keys, load_parameters, load_settings


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's own environment reaches a test, and no settings file lies around."""
    for name in list(os.environ):
        if name.startswith((ENV_PREFIX, "TOPAZ_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _file(folder: Path, text: str, name: str = "my.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_count():
    """No file, no variables, no options: the local backend, which costs nothing."""
    settings = load_settings({})
    assert settings == Settings()
    assert settings.backend == "local"
    assert settings.max_credits is None
    assert settings.job_deadline_s >= 3 * 3600, "no time limit below the vendor's worst case"


def test_file_environment_and_options_are_layered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each layer counts where no later one speaks."""
    file = _file(tmp_path, "max_in_flight = 1\nsubmit_concurrency = 2\npoll_concurrency = 3\n")
    monkeypatch.setenv("FACE_RECOVERY_SUBMIT_CONCURRENCY", "20")
    monkeypatch.setenv("FACE_RECOVERY_POLL_CONCURRENCY", "30")
    settings = load_settings({"poll_concurrency": 300, "max_in_flight": None}, file)
    assert (settings.max_in_flight, settings.submit_concurrency, settings.poll_concurrency) == (1, 20, 300)
    assert settings.download_concurrency == Settings().download_concurrency


def test_parameters_are_layered_the_same_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In the file they are the table [parameters]; in the environment they have the same prefix."""
    file = _file(tmp_path, "backend = 'topaz'\n[parameters]\nstrength = 0.1\ngrain_size = 2\ngrain = true\n")
    monkeypatch.setenv("FACE_RECOVERY_GRAIN_SIZE", "3.0")
    monkeypatch.setenv("FACE_RECOVERY_GRAIN_MODEL", "grey")
    parameters = load_parameters({"grain_model": "gaussian", "strength": None}, file)
    assert (parameters.strength, parameters.grain_size, parameters.grain) == (0.1, 3.0, True)
    assert parameters.grain_model is GrainModel.GAUSSIAN
    assert load_settings({}, file).backend == "topaz"


def test_the_file_is_found_by_variable_or_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """./face-recovery.toml counts by itself, FACE_RECOVERY_CONFIG before it, a named file before both."""
    _file(tmp_path, "max_in_flight = 1", "face-recovery.toml")
    assert load_settings({}).max_in_flight == 1
    monkeypatch.setenv("FACE_RECOVERY_CONFIG", str(_file(tmp_path, "max_in_flight = 2", "other.toml")))
    assert load_settings({}).max_in_flight == 2
    assert load_settings({}, _file(tmp_path, "max_in_flight = 3")).max_in_flight == 3


def test_a_setting_of_the_file_that_is_unknown_is_named(tmp_path: Path):
    """A misspelt name would otherwise be a setting that silently does nothing."""
    file = _file(tmp_path, "max_inflight = 5")
    with pytest.raises(UsageError) as caught:
        load_settings({}, file)
    assert str(caught.value) == f"max_inflight in {file}: there is no such setting"


def test_a_parameter_of_the_file_that_is_unknown_is_named(tmp_path: Path):
    """The same for the model's parameters."""
    file = _file(tmp_path, "[parameters]\nstrenght = 0.5")
    with pytest.raises(UsageError, match=f"^strenght in {file}: Face Recovery 3 has no such parameter$"):
        load_parameters({}, file)


def test_a_variable_that_is_unknown_is_named(monkeypatch: pytest.MonkeyPatch):
    """Whatever begins with the prefix must be a setting; the value, which may be a secret, is not repeated."""
    monkeypatch.setenv("FACE_RECOVERY_MAX_INFLIGHT", "s3cret")
    with pytest.raises(UsageError, match="environment variable FACE_RECOVERY_MAX_INFLIGHT is no setting") as caught:
        load_settings({})
    assert "s3cret" not in str(caught.value)


def test_an_option_that_is_unknown_is_named():
    """Options come from the program itself, but a mistake there is no silence either."""
    with pytest.raises(UsageError, match=r"^--max-inflight: there is no such setting$"):
        load_settings({"max_inflight": 5})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_in_flight", 0),
        ("max_in_flight", 100_001),
        ("submit_concurrency", 0),
        ("poll_concurrency", 1001),
        ("download_concurrency", -1),
        ("max_credits", -1),
        ("poll_min_s", 0),
        ("poll_max_s", -2.5),
        ("connect_timeout_s", 0),
        ("stall_timeout_s", "soon"),
        ("backoff_first_s", 0),
        ("unreachable_limit_s", "nan"),
        ("job_deadline_s", "inf"),
        ("settle_s", -1),
        ("settle_looks", 0),
        ("submit_attempts", 0),
        ("drain_s", -0.1),
        ("sync", "maybe"),
        ("service_workers", -1),
    ],
)
def test_bad_values_name_where_they_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
):
    """The line begins with the option, the variable or the file, whichever said it, and repeats the value."""
    option = f"--{name.replace('_', '-')}"
    variable = ENV_PREFIX + name.upper()
    file = _file(
        tmp_path, f"{name} = {value if not isinstance(value, str) or value in ('nan', 'inf') else repr(value)}"
    )
    with pytest.raises(UsageError) as by_file:
        load_settings({}, file)
    with pytest.raises(UsageError) as by_option:
        load_settings({name: value})
    monkeypatch.setenv(variable, str(value))
    with pytest.raises(UsageError) as by_variable:
        load_settings({})
    assert str(by_file.value).startswith(f"{name} in {file}: {value} is not ")
    assert str(by_option.value).startswith(f"{option}: {value} is not ")
    assert str(by_variable.value).startswith(f"{variable}: {value} is not ")


def test_bad_parameters_name_where_they_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """File, variable and option each speak for themselves."""
    file = _file(tmp_path, "[parameters]\nstrength = 2")
    monkeypatch.setenv("FACE_RECOVERY_GRAIN_SIZE", "9")
    with pytest.raises(UsageError) as caught:
        load_parameters({"output_width": 0}, file)
    lines = str(caught.value).split("; ")
    assert set(lines) == {
        f"strength in {file}: 2 is not a number from 0.0 to 1.0",
        "FACE_RECOVERY_GRAIN_SIZE: 9 is not a number from 1.0 to 5.0",
        "--output-width: 0 is not a whole number from 1 to 32000",
    }


@pytest.mark.parametrize("load", [load_settings, load_parameters])
@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"backend = ", "is not TOML: "),
        (b"\xff\xfe", "is not TOML: "),
        (None, "can't be read: No such file or directory"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, load, content: bytes | None, complaint: str):
    """Neither a missing file nor a broken one is passed over."""
    path = tmp_path / "bad.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load({}, path)
    assert str(caught.value).startswith(f"settings file {path} {complaint}")


def test_parameters_that_are_no_table_are_refused(tmp_path: Path):
    """`parameters = 5` is a mistake in words, not a traceback."""
    file = _file(tmp_path, "parameters = 5")
    with pytest.raises(UsageError, match=f"^parameters in {file}: 5 is not a table"):
        load_parameters({}, file)


def test_settings_are_frozen_and_know_no_secrets(monkeypatch: pytest.MonkeyPatch):
    """The key is in no setting, so no `repr`, report or run.toml can show it."""
    for name in ("TOPAZ_API_KEY", "FACE_RECOVERY_API_KEY", "FACE_RECOVERY_SERVICE_KEY"):
        monkeypatch.setenv(name, "s3cret")
    settings = load_settings({})
    assert "s3cret" not in repr(settings)
    assert "s3cret" not in str(settings.model_dump())
    with pytest.raises(ValueError, match="frozen"):
        settings.backend = "topaz"


def test_settings_made_directly_take_nothing_from_outside(monkeypatch: pytest.MonkeyPatch):
    """A resumed run has the settings of its order, whatever the environment says today."""
    monkeypatch.setenv("FACE_RECOVERY_MAX_IN_FLIGHT", "5")
    assert Settings().max_in_flight == 2000


class TestApiKey:
    """Keys come from the environment, each backend's from its own variable."""

    def test_the_vendors_key_is_for_the_vendor(self, monkeypatch: pytest.MonkeyPatch):
        """topaz reads TOPAZ_API_KEY, any other address FACE_RECOVERY_API_KEY: no key goes to the wrong one."""
        monkeypatch.setenv("TOPAZ_API_KEY", " vendor\n")
        monkeypatch.setenv("FACE_RECOVERY_API_KEY", "other")
        assert api_keys("topaz") == ["vendor"]
        assert api_keys("https://example.org/image/v1") == ["other"]

    @pytest.mark.parametrize("value", [None, "", "  \n"])
    def test_a_missing_key_names_its_variable(self, monkeypatch: pytest.MonkeyPatch, value: str | None):
        """The error says what to set."""
        if value is not None:
            monkeypatch.setenv("TOPAZ_API_KEY", value)
        with pytest.raises(UsageError, match="needs a key: set the environment variable TOPAZ_API_KEY"):
            api_keys("topaz")


DEFAULT = Path(__file__).parents[1] / "config" / "default.toml"


def test_the_commented_file_is_complete_and_true():
    """config/default.toml names every setting, with the default that the program has."""
    text = DEFAULT.read_text(encoding="utf-8")
    named = set(re.findall(r"^(?:# )?([a-z_]+) = ", text, re.MULTILINE))
    assert named == {*Settings.model_fields, *FaceRecovery.model_fields}
    assert load_settings({}, DEFAULT) == Settings()
    assert load_parameters({}, DEFAULT) == FaceRecovery()
