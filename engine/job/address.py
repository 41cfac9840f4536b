"""Addresses as they may be shown: what signs or opens them is left out.

A presigned URL's query, a password before the host, a fragment and a run's webhook token are secrets to whoever may
read a report. The plan keeps inputs whole, since a resume fetches them.
"""

import re

__all__ = ["redacted", "shown"]

_CUT = "?..."

# Up to what is hardly part of a URL in running text: what is found is cut, never followed. An apostrophe may be part of
# one (RFC 3986, 2.2), and is where more of it follows; whatever else quotes addresses is not.
_INSIDE = r"""(?:[^\s?#"'<>\\]|'(?=[\w%/?#&=~+-]))"""
_ADDRESS = re.compile(rf"""(https?://)([^\s/?#"<>\\]*@)?({_INSIDE}*)([?#](?:[?#]|{_INSIDE})*)?""", re.IGNORECASE)

# What ends a run's webhook address: whoever has it may send notices.
_TOKEN = re.compile(r"/[0-9a-f]{64}(?=/|$)")
_END = re.compile("[?#]")


def shown(source: str) -> str:
    """Return an input as reports name it: a path as it is, an address without user, password, query and fragment."""
    scheme, mark, address = source.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        return source
    kept, *cut = _END.split(address, maxsplit=1)
    authority, slash, path = kept.partition("/")
    if cut and not slash and "@" in cut[0]:  # a password with such a character in it: no host is known
        return f"{scheme}://{_CUT}"
    return f"{scheme}://{authority.rpartition('@')[2]}{_TOKEN.sub('/...', slash + path)}{_CUT if cut else ''}"


def redacted(text: str, source: str = "") -> str:
    """Return `text` with every address in it shown without its secrets.

    `source` is one that may stand there, whatever it is made of: where a text ends is known of no other.
    """
    if "://" not in text:
        return text
    if source:
        text = text.replace(source, shown(source))
    return _ADDRESS.sub(_public, text)


def _public(found: re.Match[str]) -> str:
    scheme, _user, rest, query = found.groups()
    return f"{scheme}{_TOKEN.sub('/...', rest)}{_CUT if query else ''}"
