"""The certificate that the service shows, ready for the listener."""

import ssl
from pathlib import Path

from engine.errors import UsageError
from engine.service.settings import Tls

__all__ = ["context_of"]


def context_of(tls: Tls) -> ssl.SSLContext:
    """Return what the listener needs: TLS 1.2 or newer. Raises UsageError for files that can't serve. Blocks."""
    for path in (tls.certificate, tls.key):
        _check_readable(path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password for it, OpenSSL would ask for an encrypted key's on the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except (ssl.SSLError, ValueError) as error:
        raise UsageError(_explain(tls, error)) from error
    return context


def _check_readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error


def _explain(tls: Tls, error: Exception) -> str:
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return f"{tls.key} is not the key of the certificate in {tls.certificate}"
    return f"{tls.certificate} and {tls.key} must be a certificate chain and its unencrypted key, both PEM"
