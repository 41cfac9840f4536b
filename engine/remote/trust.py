"""Whose certificates are believed: the system's authorities, or those that the usual environment variables name.

There is no way to believe everybody: a private authority is named, never switched off.
"""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from engine.errors import UsageError

__all__ = ["trusted"]

# OpenSSL's own two come first; the others are what requests and curl look at. One that is set stands for all.
_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_FOLDERS = "SSL_CERT_DIR"


def trusted(environment: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return what to verify servers with; None where nothing is said, and the system's authorities are believed.

    Raises UsageError for a bundle that is not there or holds no certificate. Certificates and host names are
    verified in either case.
    """
    named = next((name for name in (*_FILES[:1], _FOLDERS, *_FILES[1:]) if environment.get(name)), None)
    if named is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies, and believes nobody yet
    for name in (*_FILES[:1], _FOLDERS) if named in (_FILES[0], _FOLDERS) else (named,):
        if environment.get(name):
            _load(context, name, environment[name])
    return context


def _load(context: ssl.SSLContext, name: str, value: str) -> None:
    """Have `context` believe the bundle, or the folders of hashed certificates, that `value` names."""
    paths = value.split(os.pathsep) if name == _FOLDERS else [value]
    for path in map(Path, paths):
        if not path.exists():
            raise UsageError(f"{name} names {path}, which is not there: name a PEM file of certificates, or unset it")
        try:
            if path.is_dir():
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except (ssl.SSLError, OSError) as error:
            why = "holds no PEM certificate" if isinstance(error, ssl.SSLError) else f"can't be read ({error.strerror})"
            raise UsageError(f"{name} names {path}, which {why}: name a PEM file of certificates") from error
