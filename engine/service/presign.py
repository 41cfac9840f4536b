"""Links that carry their own permission: HMAC-SHA256 over method, path and expiry. Pure.

The secret is made anew by every process: a link dies with the service that signed it, at the latest after its
lifetime, and a client mints another one. A link signed for GET also answers HEAD; one signed for HEAD only HEAD.
"""

import hmac
import secrets

__all__ = ["Presigner"]


class Presigner:
    """Signs paths and proves them."""

    def __init__(self, lifetime_s: float, secret: bytes | None = None) -> None:
        self.lifetime_s = lifetime_s
        self._secret = secret if secret is not None else secrets.token_bytes(32)

    def sign(self, method: str, path: str, now: float) -> tuple[str, int]:
        """Return `path` with its proof as a query, and the Unix second at which it ends."""
        expires = int(now + self.lifetime_s)
        return f"{path}?expires={expires}&signature={self._signature(method, path, expires)}", expires

    def is_valid(self, method: str, path: str, expires: str, signature: str, now: float) -> bool:
        """Say whether `signature` was made here for `path` and a method that allows `method`, and still holds."""
        # Digits only, and few: int() of a long hostile text is quadratic.
        if not (expires.isascii() and expires.isdigit() and len(expires) < 16 and now < int(expires)):
            return False
        allowing = ("GET", "HEAD") if method == "HEAD" else (method,)
        given = signature.encode("utf-8", "surrogateescape")
        proofs = [self._signature(by, path, int(expires)).encode() for by in allowing]
        return any(hmac.compare_digest(proof, given) for proof in proofs)

    def _signature(self, method: str, path: str, expires: int) -> str:
        return hmac.digest(self._secret, f"{method}\n{path}\n{expires}".encode(), "sha256").hex()
