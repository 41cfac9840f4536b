"""The `Content-Disposition` header of one form part: its name and filename, verbatim. Pure.

RFC 7578 forms as browsers and HTTP libraries write them: quoted values in which a backslash may stand before a
quote, or tokens. The filename is kept as it was sent, slashes and percent signs included: clients look their jobs
up by it, and it never becomes a path. (aiohttp's own parser strips leading slashes, gives up at a second
semicolon and takes 0.1 ms.)
"""

import re
from urllib.parse import unquote

__all__ = ["parse_disposition"]

_PARAMETER = re.compile(r';\s*([a-zA-Z*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))\s*')
_ESCAPED_QUOTE = re.compile(r'\\(["\\])')
_EXTENDED = re.compile(r"utf-8'[^']*'(.*)", re.IGNORECASE)


def parse_disposition(header: str) -> tuple[str, str | None]:
    """Return (name, filename) of a `form-data` part; raises ValueError for anything else.

    `filename*` (forbidden in forms, sent by some) counts only where no plain `filename` is.
    """
    kind, semicolon, rest = header.partition(";")
    parameters = _parameters(semicolon + rest)
    if kind.strip().lower() != "form-data" or not parameters.get("name"):
        raise ValueError("a form field needs 'Content-Disposition: form-data' with a name")
    filename = parameters.get("filename")
    if filename is None and (extended := _EXTENDED.fullmatch(parameters.get("filename*", ""))):
        filename = unquote(extended[1], errors="replace")
    return parameters["name"], filename


def _parameters(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            raise ValueError("a form field has a broken Content-Disposition")
        name, quoted, token = match.groups()
        if name.lower() in found:  # whoever stands in front may have read the other one
            raise ValueError("a form field has a Content-Disposition that says something twice")
        found[name.lower()] = token if quoted is None else _ESCAPED_QUOTE.sub(r"\1", quoted)
        at = match.end()
    return found
