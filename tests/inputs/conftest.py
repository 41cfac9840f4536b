import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

NOBODY = 65_534


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """A whole JPEG of 40 x 30 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 150, 120)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="session")
def png() -> bytes:
    """A whole PNG of 40 x 30 pixels."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 150, 120)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that other users may enter, unlike `tmp_path`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def as_somebody_else(shared: Path) -> Callable[[str], str]:
    """Runs Python code, with `shared` as `folder`, as a user whom file permissions bind; returns what it prints."""
    lines = [
        "import os, pathlib, sys",
        f"sys.path.insert(0, {str(Path(__file__).parents[2])!r})",
        f"folder = pathlib.Path({str(shared)!r})",
        # Imported before the change of user, since that user may not read where it lies.
        "import engine.inputs.scan, PIL.JpegImagePlugin",
    ]
    if os.geteuid() == 0:
        lines += [f"os.setgid({NOBODY})", f"os.setuid({NOBODY})"]

    def run(code: str) -> str:
        program = "\n".join([*lines, code])
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run
