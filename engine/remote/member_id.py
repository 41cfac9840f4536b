"""Which member of a pool an id or a cursor is of: `<member>:<its own>`."""

import hashlib
import re
from urllib.parse import urlsplit

__all__ = ["member_id", "qualified", "unqualified"]

_DIGITS = 6  # of SHA-256: in a pool of a hundred two are alike once in 3,000 pools, which is refused
_USUAL_PORTS = {"http": ":80", "https": ":443"}
_QUALIFIED = re.compile(f"[0-9a-f]{{{_DIGITS}}}:")


def member_id(base_url: str, key: str) -> str:
    """Return the name of a member in ids and cursors: the same in every process, whatever the order of a pool.

    Spellings of one address make one name: capitals in the host, a port that goes without saying, slashes at the end.
    """
    return hashlib.sha256(f"{_normal(base_url)}\n{key}".encode()).hexdigest()[:_DIGITS]


def _normal(base_url: str) -> str:
    parts = urlsplit(base_url)
    host = parts.netloc.lower().removesuffix(_USUAL_PORTS.get(parts.scheme, "/"))
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def qualified(member: str, text: str) -> str:
    """Return an id or a cursor of `member` as a pool says it."""
    return f"{member}:{text}"


def unqualified(text: str) -> tuple[str, str]:
    """Return the member and the rest of what `qualified` made; ("", `text`) for all else."""
    return (text[:_DIGITS], text[_DIGITS + 1 :]) if _QUALIFIED.match(text) else ("", text)
