"""Who is let in: the given key and those of keys.json, as the file is now."""

import logging
import os
import stat
import threading

import orjson
import pytest

from engine.errors import MachineError, UsageError
from engine.service.key import OWN, KeyLimits, digest_of
from engine.service.key_file import KEYS_NAME, KeyFile, LimitEntries, read_keys
from engine.service.keyring import Keyring
from tests.fakes.clock import FakeClock

GIVEN = frozenset({"the-given-key"})
DEFAULTS = KeyLimits(rate_per_s=10.0, burst=20.0, max_unfinished_jobs=5)
NO_LIMITS = LimitEntries()


@pytest.fixture
def clock():
    return FakeClock(is_manual=True)


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path)


def ring(file, clock, given=GIVEN):
    return Keyring(file.folder, given, clock, defaults=DEFAULTS, credits=7)


async def later(clock):
    """Let so much time pass that the file is looked at."""
    await clock.advance(1.0)


class TestFinding:
    async def test_the_given_key(self, file, clock):
        """It is OWN, with the service's limits and credits; nothing else is known."""
        keys = ring(file, clock)
        key = keys.find("the-given-key")
        assert (key.id, key.credits, key.limits, key.is_suspended) == (OWN, 7, DEFAULTS, False)
        assert keys.get(OWN) is key
        for wrong in ("", "the-given-ke", "the-given-key ", "\udcff", "ü"):
            assert keys.find(wrong) is None
        assert keys.get("other") is None
        assert repr(keys) == "<Keyring of 1 given and 0 named keys>"

    async def test_several_given_keys_are_one_owner(self, file, clock):
        """Each is let in, and all are OWN."""
        keys = ring(file, clock, frozenset({"a", "b"}))
        assert [keys.find(text).id for text in "ab"] == [OWN, OWN]
        assert keys.get(OWN).id == OWN

    async def test_a_named_key(self, file, clock):
        """It is found by its text, and by its id; the file holds neither text nor anything it follows from."""
        made, text = file.add("team", 5.0, credits=3, limits=NO_LIMITS)
        keys = ring(file, clock, frozenset())
        key = keys.find(text)
        assert (key.id, key.name, key.credits, key.limits) == (made.id, "team", 3, DEFAULTS)
        assert keys.get(made.id) == key
        assert text.startswith("fr_")
        assert len(text) == 35
        written = (file.folder / KEYS_NAME).read_text()
        assert digest_of(text).hex() in written
        assert text not in written
        assert text[3:] not in repr(keys) + repr(key) + repr(made)
        assert made.digest not in repr(made)

    async def test_own_limits_stand_in_place_of_the_defaults(self, file, clock):
        """What is set counts, null is no limit, the rest is the service's; a rate comes with its own burst."""
        limits = LimitEntries(rate_per_s=1.0, max_unfinished_jobs=None)
        _, text = file.add("team", 5.0, limits=limits)
        assert ring(file, clock).find(text).limits == KeyLimits(rate_per_s=1.0)
        _, text = file.add("other", 5.0, limits=LimitEntries(max_stored_bytes=9))
        expected = KeyLimits(rate_per_s=10.0, burst=20.0, max_unfinished_jobs=5, max_stored_bytes=9)
        assert ring(file, clock).find(text).limits == expected

    async def test_no_key_at_all(self, file, clock):
        """A service that lets nobody in, or anybody, is not started."""
        with pytest.raises(UsageError, match="at least one API key"):
            ring(file, clock, frozenset())


class TestChanges:
    async def test_a_running_service_sees_them(self, file, clock):
        """A key works, is suspended, resumed and revoked, each from the next second on."""
        keys = ring(file, clock)
        made, text = file.add("team", 5.0, limits=NO_LIMITS)
        assert keys.find(text) is None
        await later(clock)
        assert keys.find(text).id == made.id
        file.suspend(made.id)
        await later(clock)
        assert keys.find(text).is_suspended
        file.resume(made.id)
        await later(clock)
        assert not keys.find(text).is_suspended
        file.revoke(made.id)
        await later(clock)
        assert keys.find(text) is None
        assert keys.get(made.id) is None

    async def test_the_file_is_looked_at_once_a_second(self, file, clock):
        """Many calls within a second cost no look at the disk, and see what the first saw."""
        keys = ring(file, clock)
        _, text = file.add("team", 5.0, limits=NO_LIMITS)
        await clock.advance(0.9)
        assert keys.find(text) is None
        await clock.advance(0.1)
        assert keys.find(text)

    @pytest.mark.parametrize(
        "damage", [b"", b"{", b"[]", b'{"keys": [{"id": "k"}]}', b'{"keys": [], "more": 1}', b"\xff"]
    )
    async def test_a_damaged_file_changes_nothing(self, file, clock, caplog, damage):
        """The keys stay, one line is logged, and once the file is sound again it counts."""
        _, text = file.add("team", 5.0, limits=NO_LIMITS)
        keys = ring(file, clock)
        sound = (file.folder / KEYS_NAME).read_bytes()
        (file.folder / KEYS_NAME).write_bytes(damage)
        with caplog.at_level(logging.ERROR):
            for _ in range(3):
                await later(clock)
                assert keys.is_stale
                assert keys.find(text)
        [line] = [record.getMessage() for record in caplog.records]
        assert "keys.json is damaged" in line
        assert "\n" not in line
        (file.folder / KEYS_NAME).write_bytes(orjson.dumps({"keys": []}))
        await later(clock)
        assert keys.find(text) is None
        assert not keys.is_stale
        (file.folder / KEYS_NAME).write_bytes(sound)
        await later(clock)
        assert keys.find(text)

    async def test_a_file_that_can_not_be_read_changes_nothing(self, file, clock, caplog):
        """So does whatever else stands in its place; a file that was removed has no keys."""
        _, text = file.add("team", 5.0, limits=NO_LIMITS)
        keys = ring(file, clock)
        (file.folder / KEYS_NAME).unlink()
        (file.folder / KEYS_NAME).mkdir()
        await later(clock)
        assert keys.find(text)
        assert keys.is_stale
        assert len(caplog.records) == 1
        (file.folder / KEYS_NAME).rmdir()
        await later(clock)
        assert not keys.is_stale
        assert keys.find(text) is None

    async def test_a_file_that_is_put_back_is_not_stale(self, file, clock):
        """Whether the keys are those of the file is seen without a call, also when the very file returns."""
        file.add("team", 5.0, limits=NO_LIMITS)
        keys, path = ring(file, clock), file.folder / KEYS_NAME
        path.rename(path.with_suffix(".kept"))
        path.mkdir()
        await later(clock)
        assert keys.is_stale
        path.rmdir()
        path.with_suffix(".kept").rename(path)
        await later(clock)
        assert not keys.is_stale

    async def test_a_file_that_is_damaged_from_the_start(self, file, clock):
        """No service starts on it: nobody knows whom it should let in."""
        (file.folder / KEYS_NAME).write_text("{")
        with pytest.raises(UsageError, match=r"keys\.json is damaged"):
            ring(file, clock)


class TestFile:
    def test_it_is_private_and_whole(self, file):
        """Mode 0600 whatever the umask, and no part of a file is left behind."""
        before = os.umask(0)
        try:
            file.add("team", 5.0, limits=NO_LIMITS)
        finally:
            os.umask(before)
        assert stat.S_IMODE((file.folder / KEYS_NAME).stat().st_mode) == 0o600
        assert {path.name for path in file.folder.iterdir()} <= {KEYS_NAME, f"{KEYS_NAME}.lock"}

    def test_two_writers_lose_nothing(self, file):
        """Keys that are added at the same time are all there."""
        names = [f"team {number}" for number in range(8)]
        threads = [threading.Thread(target=file.add, args=(name, 5.0), kwargs={"limits": NO_LIMITS}) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {key.name for key in read_keys(file.folder)} == set(names)

    def test_wrong_changes_are_refused(self, file, tmp_path):
        """A name that is taken, a bad name, an id that is not there: one line, and nothing changed."""
        file.add("team", 5.0, limits=NO_LIMITS)
        before = (file.folder / KEYS_NAME).read_bytes()
        for name in ("team", "", "x" * 65, "two\nlines", "\udcff"):
            with pytest.raises(UsageError):
                file.add(name, 5.0, limits=NO_LIMITS)
        for change in (file.suspend, file.resume, file.revoke):
            with pytest.raises(UsageError, match="no key with the id 'nobody'"):
                change("nobody")
        assert (file.folder / KEYS_NAME).read_bytes() == before
        with pytest.raises(UsageError, match="no folder of a service"):
            KeyFile(tmp_path / "gone").revoke("k")
        (tmp_path / "file").touch()
        with pytest.raises(MachineError, match="can't be made"):
            KeyFile(tmp_path / "file" / "service").add("a", 5.0, limits=NO_LIMITS)


NOBODY = 65534


@pytest.fixture
def of_nobody(tmp_path):
    """A service's folder that another user owns, as after `StateDirectory=`."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root gives folders away")
    folder = tmp_path / "service"
    KeyFile(folder).add("first", 5.0, limits=NO_LIMITS)
    for path in (*folder.iterdir(), folder):
        os.chown(path, NOBODY, NOBODY)
    return folder


def _owners(folder):
    return {(path.name, path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()}


class TestFolderOfAnother:
    def test_what_root_writes_is_the_owners(self, of_nobody):
        """The service can read the file, and lock it later, whichever of both was there."""
        (first,) = read_keys(of_nobody)
        expected = {(KEYS_NAME, NOBODY, NOBODY), (f"{KEYS_NAME}.lock", NOBODY, NOBODY)}
        KeyFile(of_nobody).revoke(first.id)
        assert _owners(of_nobody) == expected
        for path in of_nobody.iterdir():
            path.unlink()
        KeyFile(of_nobody).add("team", 5.0, limits=NO_LIMITS)
        assert _owners(of_nobody) == expected

    def test_root_is_led_nowhere(self, of_nobody, tmp_path):
        """What the owner laid in the way is neither written nor given away."""
        target = tmp_path / "of root"
        target.write_text("mine")
        (of_nobody / f"{KEYS_NAME}.part").symlink_to(target)
        KeyFile(of_nobody).add("team", 5.0, limits=NO_LIMITS)
        assert not (of_nobody / KEYS_NAME).is_symlink()
        lock = of_nobody / f"{KEYS_NAME}.lock"
        for lay, said in ((lock.symlink_to, "can't be written"), (lock.hardlink_to, "is no lock file")):
            lock.unlink()
            lay(target)
            with pytest.raises((MachineError, UsageError), match=said):
                KeyFile(of_nobody).add("other", 5.0, limits=NO_LIMITS)
        assert (target.read_text(), target.stat().st_uid, len(read_keys(of_nobody))) == ("mine", 0, 2)

    def test_a_third_user_is_sent_away(self, of_nobody, tmp_path):
        """Whoever is neither owner nor root is told in one line as whom to run it, and writes nothing."""
        for folder in (tmp_path, *tmp_path.parents[:2]):
            folder.chmod(0o755)
        before = _owners(of_nobody)
        os.seteuid(65533)
        try:
            with pytest.raises(UsageError, match=r"belongs to the user .*: run this as that user \(`sudo -u [^\n]*$"):
                KeyFile(of_nobody).add("team", 5.0, limits=NO_LIMITS)
        finally:
            os.seteuid(0)
        assert _owners(of_nobody) == before
