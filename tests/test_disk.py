"""The file seam: append and sync, publish whole, lock, names as text."""

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.disk import AppendFile, lock_folder, path_of_text, publish, sync_folder, text_of_path, write_whole
from engine.errors import MachineError, UsageError

ROOT = Path(__file__).parents[1]


@contextlib.contextmanager
def full_disk():
    """Within the block no file of this process grows beyond 1,000 bytes; the runner's own output may be such a file."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


class TestAppendFile:
    """A file that only grows."""

    @pytest.mark.parametrize("sync", [True, False])
    def test_appends_follow_each_other_and_what_was_there(self, tmp_path: Path, sync: bool):
        """Every append goes to the end, also after the file was opened again."""
        path = tmp_path / "f"
        for part in (b"one", b"", b"two"):
            file = AppendFile(path, sync=sync)
            file.append(part)
            assert file.size_bytes == path.stat().st_size
            file.close()
        assert path.read_bytes() == b"onetwo"

    def test_the_file_is_its_owners_alone(self, tmp_path: Path):
        """A journal names files and URLs; others on the machine need not read it."""
        AppendFile(tmp_path / "f").close()
        assert (tmp_path / "f").stat().st_mode & 0o077 == 0

    def test_truncate_cuts_and_appending_goes_on_there(self, tmp_path: Path):
        """A torn tail is cut off, and the next bytes stand in its place."""
        path = tmp_path / "f"
        path.write_bytes(b"sound torn")
        file = AppendFile(path)
        file.truncate(6)
        file.append(b"whole")
        file.close()
        assert path.read_bytes() == b"sound whole"
        assert file.size_bytes == 11

    def test_a_failed_append_leaves_the_file_as_it_was(self, tmp_path: Path):
        """When the disk is full half-way through, no half of it stays."""
        file = AppendFile(tmp_path / "f")
        file.append(b"a" * 900)
        with full_disk(), pytest.raises(OSError) as caught:  # noqa: PT011 -- the number is what counts
            file.append(b"b" * 200)
        assert caught.value.errno == errno.EFBIG
        assert (tmp_path / "f").read_bytes() == b"a" * 900
        file.append(b"c" * 100)
        assert file.size_bytes == 1000
        file.close()

    def test_closing_twice_is_fine_and_a_closed_file_takes_nothing(self, tmp_path: Path):
        """After the close an append is an error, never a write to somebody else's file."""
        file = AppendFile(tmp_path / "f")
        file.close()
        file.close()
        with open(tmp_path / "other", "wb"), pytest.raises(OSError, match="Bad file descriptor"):  # noqa: PTH123
            file.append(b"x")
        assert (tmp_path / "f").read_bytes() == (tmp_path / "other").read_bytes() == b""


class TestPublish:
    """Visible whole, or not at all."""

    @pytest.mark.parametrize("sync", [True, False])
    def test_the_part_becomes_the_file(self, tmp_path: Path, sync: bool):
        """After it the file is there and the part is gone."""
        part, final = tmp_path / "a.jpg.part", tmp_path / "a.jpg"
        part.write_bytes(b"pixels")
        publish(part, final, sync=sync)
        assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]
        assert final.read_bytes() == b"pixels"

    def test_write_whole_replaces_the_old_content(self, tmp_path: Path):
        """The new content is there, and nothing beside it."""
        path = tmp_path / "run.toml"
        write_whole(path, b"old and long")
        write_whole(path, b"new")
        assert path.read_bytes() == b"new"
        assert [each.name for each in tmp_path.iterdir()] == ["run.toml"]

    def test_write_whole_keeps_the_old_content_when_it_fails(self, tmp_path: Path):
        """A full disk costs the new content only, and leaves no part behind."""
        path = tmp_path / "run.toml"
        write_whole(path, b"old")
        with full_disk(), pytest.raises(OSError, match="File too large"):
            write_whole(path, b"n" * 2000)
        assert path.read_bytes() == b"old"
        assert [each.name for each in tmp_path.iterdir()] == ["run.toml"]

    def test_a_folder_can_be_synced(self, tmp_path: Path):
        """It is there to be called after a rename; a missing folder is an error."""
        sync_folder(tmp_path)
        with pytest.raises(FileNotFoundError):
            sync_folder(tmp_path / "gone")


class TestLock:
    """One process a folder."""

    def test_a_second_holder_is_told_who_is_in_the_way(self, tmp_path: Path):
        """Held here, it can't be had by another process; released, it can."""
        code = (
            "import sys, pathlib\nfrom engine.disk import lock_folder\nfrom engine.errors import UsageError\n"
            "try:\n    with lock_folder(pathlib.Path(sys.argv[1])): print('got it')\n"
            "except UsageError as error: print(error)"
        )

        def other() -> str:
            command = [sys.executable, "-c", code, str(tmp_path)]
            return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60, check=True).stdout

        with lock_folder(tmp_path):
            assert other() == f"{tmp_path} is in use by another process: wait for it or stop it first\n"
        assert other() == "got it\n"

    def test_the_lock_dies_with_its_process(self, tmp_path: Path):
        """A run that was killed leaves no lock behind that a person must remove."""
        code = (
            "import os, sys, pathlib\nfrom engine.disk import lock_folder\n"
            "lock = lock_folder(pathlib.Path(sys.argv[1])); lock.__enter__(); os.kill(os.getpid(), 9)"
        )
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
        assert done.returncode == -9
        with lock_folder(tmp_path):
            pass

    def test_what_is_no_folder_can_not_be_locked(self, tmp_path: Path):
        """The error says which folder and why."""
        (tmp_path / "file").touch()
        with pytest.raises(MachineError, match="file can't be locked"), lock_folder(tmp_path / "file"):
            pass

    def test_an_error_inside_releases_it(self, tmp_path: Path):
        """Whatever ends the block, the lock is free after it."""
        with pytest.raises(UsageError, match="inside"), lock_folder(tmp_path):
            raise UsageError("inside")
        with lock_folder(tmp_path):
            pass


class TestNamesAsText:
    """Paths that JSON can carry."""

    def test_plain_names_stay_readable(self):
        """Only what must be is encoded: spaces, per cent signs and emoji stay."""
        for text in ("/a/b.jpg", "a b%20.jpg", "👩🏽‍🚀.jpg", "two\nlines", "/file:/x", "file:/x"):
            assert text_of_path(Path(text)) == text

    def test_bytes_that_are_no_utf8_become_a_uri(self):
        """A name in another encoding is written as a file: URI of its bytes."""
        assert text_of_path(Path(os.fsdecode(b"/p/caf\xe9 1%.jpg"))) == "file:///p/caf%E9%201%25.jpg"
        assert os.fsencode(path_of_text("file:///p/caf%E9%201%25.jpg")) == b"/p/caf\xe9 1%.jpg"

    @settings(max_examples=300, deadline=None)
    @given(raw=st.binary(min_size=1, max_size=60).filter(lambda raw: b"\0" not in raw))
    def test_any_name_of_any_bytes_comes_back(self, raw: bytes):
        """Absolute or relative, valid or not: the text is valid UTF-8 and leads back to the very same path."""
        path = Path(os.fsdecode(raw))
        text = text_of_path(path)
        assert text.encode().decode() == text
        assert path_of_text(text) == path
