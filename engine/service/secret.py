"""The service's own secret: 32 random bytes beside its journal, for nobody's eyes but the service's.

It signs links, so that they outlive a restart. Deleting the file makes every link void and a new secret.
"""

import secrets
from pathlib import Path

from engine.disk import write_whole
from engine.errors import MachineError

__all__ = ["load_secret"]

_NAME, _BYTES = "secret", 32


def load_secret(folder: Path) -> bytes:
    """Return the secret in `folder`, made if there is none. Blocks; raises MachineError when it can't be kept."""
    path = folder / _NAME
    try:
        if path.exists() and len(secret := path.read_bytes()) == _BYTES:
            return secret
        secret = secrets.token_bytes(_BYTES)
        write_whole(path, secret)
        path.chmod(0o600)  # the folder lets nobody else in anyway
    except OSError as error:
        raise MachineError(f"{path} can't be used: {error.strerror or error}") from error
    return secret
