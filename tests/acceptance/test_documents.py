"""What is written for users is true: the settings file, the README's commands, how light the help is."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel

from engine.cli.commands import app
from engine.job.parameters import FaceRecovery
from engine.settings import Settings
from tests.acceptance.program import environment, finish, portraits

ROOT = Path(__file__).parents[2]
DEFAULTS = ROOT / "config" / "default.toml"


def _optional(model: type[BaseModel]) -> set[str]:
    """Return the names that have no default value: TOML can't say None, so they are commented out."""
    return {name for name, field in model.model_fields.items() if field.default is None}


def test_every_setting_is_in_the_settings_file() -> None:
    """The file lists each setting and each parameter with its true default; those without one are commented out."""
    text = DEFAULTS.read_text()
    tables = tomllib.loads(text)
    parameters = tables.pop("parameters")
    for model, values in ((Settings, tables), (FaceRecovery, parameters)):
        defaults = model().model_dump(mode="json", exclude_none=True)
        assert values == defaults
        assert _optional(model) == model.model_fields.keys() - values.keys()
    head, _, tail = text.partition("[parameters]")
    for model, part in ((Settings, head), (FaceRecovery, tail)):
        assert set(re.findall(r"^# (\w+) = ", part, re.MULTILINE)) == _optional(model)


def test_commented_settings_are_valid() -> None:
    """What stands in a comment is right, too: without the # it is taken."""
    tables = tomllib.loads(re.sub(r"^# (?=\w+ = )", "", DEFAULTS.read_text(), flags=re.MULTILINE))
    FaceRecovery.parse(tables.pop("parameters"))
    Settings.model_validate(tables)


def test_the_settings_file_can_be_used_as_it_is(tmp_path: Path) -> None:
    """The file that users copy loads without a complaint."""
    ended = finish("estimate", portraits(tmp_path / "in", 1), "--config", DEFAULTS, "--json")
    assert (ended.code, ended.summary["images"]) == (0, 1)


def _fenced_commands(text: str) -> Iterator[str]:
    """Yield the commands of this program in fenced blocks, continued lines joined."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = re.sub(r"^\$ ", "", line)
            if re.match(r"(?:[A-Z_]+=\S* )*face-recovery\s", words):
                yield words


README_COMMANDS = sorted(set(_fenced_commands((ROOT / "README.md").read_text())))


@pytest.mark.parametrize("line", README_COMMANDS)
def test_commands_of_the_readme_exist(line: str) -> None:
    """Each command in the README names a command and options that the program has."""
    words = shlex.split(line, comments=True)
    while words.pop(0) != "face-recovery":
        pass
    place = typer.main.get_command(app)
    while words and words[0] in getattr(place, "commands", {}):
        place = place.commands[words.pop(0)]
    known = {"--help", "-h"} | {name for each in place.params for name in (*each.opts, *each.secondary_opts)}
    assert not hasattr(place, "commands") or all(word in known for word in words), f"no such command in: {line}"
    assert {word.partition("=")[0] for word in words if word.startswith("-")} <= known


def test_help_is_light() -> None:
    """`--help` imports none of the heavy libraries, which is what keeps it quick."""
    program = (
        "import sys; from engine.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, sep=chr(10), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, "--help"], env=environment(), capture_output=True, text=True, check=True
    )
    assert "restore" in ended.stdout
    heavy = {"aiohttp", "pydantic", "numpy", "onnxruntime", "PIL", "uvloop"}
    assert not heavy & set(ended.stderr.split())
