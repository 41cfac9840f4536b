"""What all benches have in common on the command line: options, the head they print, tables, JSON."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.machine import Cores, Machine, read_machine, split_cores

__all__ = ["Bench", "Column", "Figures", "figures_table", "parser_of"]


def parser_of(text: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """Return a parser with the options that every bench has; `text` is the bench's docstring."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=repeats, help="rounds; medians are taken over them")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the JSON object to FILE besides")
    return parser


class Bench:
    """One run of a bench: it knows the machine, and prints the result as it was asked to."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._is_json = bool(arguments.json)
        self._save: Path | None = arguments.save
        self._machine: Machine = read_machine()
        self._cores: Cores = split_cores()

    def show(self, result: Mapping[str, Any], lines: Iterable[str]) -> None:
        """Print `result` as JSON, or the machine and `lines`."""
        whole = {"machine": self._machine.record(), "placement": str(self._cores), **result}
        text = orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()
        if self._save is not None:
            self._save.write_text(text + "\n")
        if self._is_json:
            print(text)
            return
        print(self._machine)
        print(f"{self._cores}; simulated service")
        print()
        for line in lines:
            print(line)


@dataclass(frozen=True, slots=True)
class Column:
    """A figure as a table shows it: its head, its name in the result, and how it is written."""

    head: str
    name: str
    spec: str


Figures = Mapping[str, Mapping[str, Any]]  # of each row of a table: name to a spread's record


def figures_table(figures: Figures, columns: Sequence[Column]) -> list[str]:
    """Return the lines of a table of `figures`: a row for each of them, medians with the spread in brackets."""
    rows = [[name, *(_written(of_row[each.name], each.spec) for each in columns)] for name, of_row in figures.items()]
    cells = [["", *(each.head for each in columns)], *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [_aligned(row, widths) for row in cells]


def _written(spread: Mapping[str, float], spec: str) -> str:
    if spread["min"] == spread["max"]:
        return format(spread["median"], spec)
    return f"{spread['median']:{spec}} ({spread['min']:{spec}} to {spread['max']:{spec}})"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    """The first column stands to the left, the others to the right."""
    rest = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
    return "  ".join((row[0].ljust(widths[0]), *rest)).rstrip()
