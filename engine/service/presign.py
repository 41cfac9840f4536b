"""Links that carry their own permission: HMAC-SHA256 over method, path, expiry and the key they were made for. Pure.

A link signed for GET also answers HEAD; one signed for HEAD only HEAD. Whether the key is still good is for the
caller to say.
"""

import hmac
from collections.abc import Mapping
from urllib.parse import quote

from engine.service.key import Key

__all__ = ["Presigner"]


class Presigner:
    """Signs paths and proves them, with a secret of 32 bytes."""

    def __init__(self, lifetime_s: float, secret: bytes) -> None:
        self.lifetime_s = lifetime_s
        self._secret = secret

    def sign(self, method: str, path: str, mark: str, now: float) -> tuple[str, int]:
        """Return `path` with its proof as a query, and the Unix second at which it ends."""
        expires = int(now + self.lifetime_s)
        signature = self._signature(method, path, expires, mark)
        return f"{path}?expires={expires}&key={quote(mark, safe='')}&signature={signature}", expires

    def mark_in(self, method: str, path: str, query: Mapping[str, str], now: float) -> str | None:
        """Return the mark of the key that the link was made for; None unless `query` holds a proof, made here, for
        `path` and a method that allows `method`, and it still holds.
        """
        expires, mark = query.get("expires", ""), query.get("key", "")
        # Digits only, and few: int() of a long hostile text is quadratic.
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16 and now < int(expires)):
            return None
        allowing = ("GET", "HEAD") if method == "HEAD" else (method,)
        given = query.get("signature", "").encode("utf-8", "surrogatepass")
        proofs = [self._signature(by, path, int(expires), mark).encode() for by in allowing]
        return mark if any([hmac.compare_digest(proof, given) for proof in proofs]) else None  # noqa: C419

    def mark_of(self, key: Key) -> str:
        """Return what stands for `key` in links: its id, and a mark that changes when another text gets this id."""
        mark = hmac.digest(self._secret, b"key\n" + key.digest, "sha256").hex()[:16]
        return f"{key.id}.{mark}"

    def _signature(self, method: str, path: str, expires: int, mark: str) -> str:
        text = f"{method}\n{path}\n{expires}\n{mark}"
        return hmac.digest(self._secret, text.encode("utf-8", "surrogatepass"), "sha256").hex()
