"""A curl command for one call, drawn from its description. `$SERVICE` and `$KEY` stand for address and key. Pure."""

import json
import shlex
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from engine.journal.line import Record

__all__ = ["curl"]

_METHODS = {"get": "", "head": " --head", "post": "", "delete": " -X DELETE"}


def curl(method: str, path: str, call: Record, parameters: list[Record]) -> str:
    """Return the command, one option a line; `parameters` are all those of the call, with examples."""
    first = f'curl{_METHODS[method]} "$SERVICE{_filled(path, parameters)}"'
    lines = [first, *_key(call), *_body(call.get("requestBody", {}).get("content", {}))]
    return " \\\n  ".join(lines)


def _filled(path: str, parameters: list[Record]) -> str:
    query = []
    for each in parameters:
        if "example" in each:
            value = quote(str(each["example"]), safe="")
            path = path.replace("{" + each["name"] + "}", value)
            query += [f"{each['name']}={value}"] if each["in"] == "query" else []
    return path + ("?" + "&".join(query) if query else "")


def _key(call: Record) -> Iterator[str]:
    if call.get("security") != [{}]:
        yield '-H "X-API-Key: $KEY"'


def _body(content: dict[str, Any]) -> Iterator[str]:
    for kind, body in content.items():
        if kind == "application/json":
            yield "-H 'Content-Type: application/json'"
            yield "-d " + shlex.quote(json.dumps(body["example"]))
        else:
            yield from (f"-F {shlex.quote(f'{name}={value}')}" for name, value in body["example"].items())
