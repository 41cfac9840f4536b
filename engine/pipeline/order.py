"""What one run was asked to do, and `run.toml`, where that is kept for a resume. Holds no secrets."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import ValidationError

from engine.disk import path_of_text, text_of_path, write_whole
from engine.errors import UsageError
from engine.inputs.folder import Globs
from engine.inputs.scan import Sizing
from engine.job.enhance import Enhance, OutputFormat
from engine.job.parameters import FaceRecovery
from engine.settings import Settings

__all__ = ["STAGED_FORMAT", "Order"]

# Of what goes from the first stage to the second: nothing is lost in it.
STAGED_FORMAT = OutputFormat.PNG

_STAGE = "stage"  # in the table of the second one: which it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Inputs, output folder, parameters and settings of a run. `run_id` begins every upload's filename."""

    run_id: str
    inputs: tuple[str, ...]
    out: Path
    globs: Globs = field(default_factory=Globs)
    sizing: Sizing
    settings: Settings

    @property
    def parameters(self) -> FaceRecovery:
        return self.sizing.parameters

    @property
    def then(self) -> Enhance | None:
        """The parameters of the second stage; None where there is none."""
        return self.sizing.then

    def save(self, path: Path) -> None:
        """Write the order to `path`, whole or not at all."""
        settings = {name: value for name, value in self.settings.model_dump(mode="json").items() if value is not None}
        parameters = self.parameters.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        run: dict[str, Any] = {
            "id": self.run_id,
            "inputs": list(self.inputs),
            "out": text_of_path(self.out),
            "include": list(self.globs.include),
            "exclude": list(self.globs.exclude),
        }
        if self.sizing.scale is not None:
            run["scale"] = self.sizing.scale
        tables = {"run": run, "parameters": parameters, "settings": settings}
        if self.then is not None:
            tables["then"] = {_STAGE: "enhance", **self.then.model_dump(mode="json", exclude_defaults=True)}
        write_whole(path, tomli_w.dumps(tables).encode())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read an order back; raises UsageError when `path` holds none."""
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
            return cls._of_tables(tables)
        except FileNotFoundError:
            raise UsageError(f"{path.parent} is no run folder: it has no {path.name}") from None
        except OSError as error:
            raise UsageError(f"{path} can't be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, ValidationError) as error:
            raise UsageError(f"{path} is damaged ({str(error).splitlines()[0]}): restore it from a backup") from error

    @classmethod
    def _of_tables(cls, tables: dict[str, Any]) -> Self:
        run = tables["run"]
        return cls(
            run_id=run["id"],
            inputs=tuple(run["inputs"]),
            out=path_of_text(run["out"]),
            globs=Globs(tuple(run["include"]), tuple(run["exclude"])),
            sizing=Sizing(
                FaceRecovery.parse(_boxes_again(tables["parameters"])), run.get("scale"), _then(tables.get("then"))
            ),
            settings=Settings.model_validate(tables["settings"]),
        )


def _then(table: dict[str, Any] | None) -> Enhance | None:
    """Return the second stage that its table holds; raises KeyError or UsageError for one that is not known."""
    if table is None:
        return None
    if table[_STAGE] != "enhance":
        raise UsageError(f"the run's second stage is {table[_STAGE]}: this version knows only enhance")
    return Enhance.parse({name: value for name, value in table.items() if name != _STAGE})


def _boxes_again(parameters: dict[str, Any]) -> dict[str, Any]:
    """TOML gives the boxes back as tables; pydantic takes them as they are, as a tuple of objects."""
    boxes = parameters.get("iai_packed_metadata")
    return parameters if boxes is None else {**parameters, "iai_packed_metadata": tuple(boxes)}
