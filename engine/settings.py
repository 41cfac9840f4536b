"""The engine's settings, typed: file (TOML) < environment < options. No secrets: keys come from the environment.

Every field is an entry of the TOML file and, in capitals with the prefix FACE_RECOVERY_, an environment variable.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from engine.errors import UsageError
from engine.job.parameters import FaceRecovery
from engine.policy.backoff import Backoff
from engine.toml_file import read_toml

__all__ = ["Settings", "api_keys", "load_changes", "load_parameters", "load_settings"]

ENV_PREFIX = "FACE_RECOVERY_"
# Not settings, though they share the prefix: secrets, and the place of the file itself.
_NOT_SETTINGS = {"FACE_RECOVERY_API_KEY", "FACE_RECOVERY_SERVICE_KEY", "FACE_RECOVERY_CONFIG"}

_PARAMETERS = "parameters"  # the table of the model's parameters in the settings file

_WEB_ADDRESS = "an address, http:// or https://, without query"
_PLACE = "HOST:PORT"
_LAST_PORT = 65535

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


def _web_address(url: str) -> str:
    """Return `url` without the slash at its end; raises ValueError for what nobody could call."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(_WEB_ADDRESS)
    return url.rstrip("/")


def _place(text: str) -> str:
    host, _colon, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or int(port) > _LAST_PORT:
        raise ValueError(_PLACE)
    return text


class Settings(BaseSettings):
    """How the engine runs; what the model does is `FaceRecovery`. `config/default.toml` explains each line."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="forbid", allow_inf_nan=False)

    backend: str = "local"
    max_in_flight: Annotated[int, Field(ge=1, le=100_000)] = 2000
    submit_concurrency: Annotated[int, Field(ge=1, le=1000)] = 32
    poll_concurrency: Annotated[int, Field(ge=1, le=1000)] = 16
    download_concurrency: Annotated[int, Field(ge=1, le=1000)] = 32
    max_credits: Annotated[int, Field(ge=0)] | None = None

    poll_delay_s: Seconds = 1.0
    poll_min_s: Seconds = 0.1
    poll_max_s: Seconds = 30.0
    connect_timeout_s: Seconds = 20.0
    stall_timeout_s: Seconds = 120.0
    backoff_first_s: Seconds = 0.5
    backoff_max_s: Seconds = 60.0
    unreachable_limit_s: Seconds = 600.0
    max_result_bytes: Count = 2_000_000_000
    job_deadline_s: Seconds = 3 * 3600.0
    settle_s: Annotated[float, Field(ge=0)] | None = None  # None: what the backend is known to need
    settle_looks: Count = 2
    submit_attempts: Count = 5
    drain_s: Annotated[float, Field(ge=0)] = 3.0

    webhook_url: Annotated[str, AfterValidator(_web_address)] | None = None
    webhook_listen: Annotated[str, AfterValidator(_place)] = "127.0.0.1:8900"

    sync: bool = True
    service_workers: Annotated[int, Field(ge=0, le=256)] = 0  # each one holds the face model, about 150 MB
    # Absolute: a resume may be started from another folder.
    simulation: Annotated[Path, AfterValidator(Path.absolute)] | None = None

    def backoff(self) -> Backoff:
        """Return how long to wait after failures in a row."""
        return Backoff(first_s=self.backoff_first_s, max_s=self.backoff_max_s)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Made directly, settings take nothing from outside; `load_settings` layers file and environment."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings(options: Mapping[str, Any], file: Path | None = None) -> Settings:
    """Return the settings from `file` (or FACE_RECOVERY_CONFIG, or ./face-recovery.toml), environment and options.

    An option that is None was not given. Raises UsageError naming the setting, its value and where it came from.
    """
    _refuse_unknown_variables()
    path = _config_file(file)
    values = {name: value for name, value in read_toml(path, "settings").items() if name != _PARAMETERS}
    given = {name: value for name, value in options.items() if value is not None}
    return _checked({**values, **EnvSettingsSource(Settings)(), **given}, path, given)


def load_changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of `options` that were given, typed; raises UsageError naming option, value and range."""
    given = {name: value for name, value in options.items() if value is not None}
    settings = _checked(given, None, given)
    return {name: getattr(settings, name) for name in given}


def _checked(values: Mapping[str, Any], path: Path | None, given: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise UsageError("; ".join(_explain(item, path, given) for item in error.errors())) from None


def load_parameters(options: Mapping[str, Any], file: Path | None = None) -> FaceRecovery:
    """Return the model's parameters, layered like the settings; in the file they are the table `[parameters]`."""
    path = _config_file(file)
    values = read_toml(path, "settings").get(_PARAMETERS, {})
    if not isinstance(values, dict):
        raise UsageError(f"{_PARAMETERS} in {path}: {values} is not a table, [{_PARAMETERS}]")
    names = FaceRecovery.model_fields
    from_environment = {
        name: os.environ[variable] for name in names if (variable := ENV_PREFIX + name.upper()) in os.environ
    }
    given = {name: value for name, value in options.items() if value is not None}

    def spell(name: str) -> str:
        if name in given:
            return f"--{name.replace('_', '-')}"
        return ENV_PREFIX + name.upper() if name in from_environment else f"{name} in {path}"

    return FaceRecovery.parse({**values, **from_environment, **given}, spell)


def _config_file(file: Path | None) -> Path | None:
    if file is None and (named := os.environ.get("FACE_RECOVERY_CONFIG")):
        file = Path(named)
    if file is not None:
        return file
    beside = Path("face-recovery.toml")
    return beside if beside.exists() else None


def _refuse_unknown_variables() -> None:
    names = (*Settings.model_fields, *FaceRecovery.model_fields)
    known = {ENV_PREFIX + name.upper() for name in names} | _NOT_SETTINGS
    for name in os.environ:
        if name.startswith(ENV_PREFIX) and name not in known:
            raise UsageError(f"environment variable {name} is no setting: see config/default.toml for the names")


def _explain(item: Any, path: Path | None, given: Mapping[str, Any]) -> str:
    name = str(item["loc"][0])
    if name in given:
        where = f"--{name.replace('_', '-')}"
    elif ENV_PREFIX + name.upper() in os.environ:
        where = ENV_PREFIX + name.upper()
    else:
        where = f"{name} in {path}"
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no such setting"
    if item["type"] == "value_error":
        return f"{where}: {item['input']} is not {item['ctx']['error']}"
    return f"{where}: {item['input']} is not {_range_in_words(name)}"


_KINDS = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "a text"}


def _range_in_words(name: str) -> str:
    about = Settings.model_json_schema()["properties"][name]
    about = about.get("anyOf", [about])[0]
    words = _KINDS[about["type"]]
    match about:
        case {"minimum": low, "maximum": high}:
            return f"{words} from {low} to {high}"
        case {"minimum": low}:
            return f"{words}, at least {low}"
        case {"exclusiveMinimum": low}:
            return f"{words} over {low}"
    return words


def api_keys(backend: str) -> list[str]:
    """Return the keys for a cloud `backend` from its environment variable, where commas stand between them.

    Raises UsageError when there is none.
    """
    name = "TOPAZ_API_KEY" if backend == "topaz" else "FACE_RECOVERY_API_KEY"
    keys = [key for each in os.environ.get(name, "").split(",") if (key := each.strip())]
    if not keys:
        raise UsageError(f"--backend {backend} needs a key: set the environment variable {name}")
    return keys
