"""Reading back what a crash left."""

from pathlib import Path

import pytest

from engine.disk import AppendFile
from engine.journal.line import encode
from engine.journal.replay import Reading, read

RECORDS = [{"job": n, "event": "intent", "note": "ä\n" * n} for n in range(6)]
LINES = [encode(record) for record in RECORDS]


def _read(path: Path) -> tuple[list[dict], Reading]:
    reading = Reading()
    return list(read(path, reading)), reading


def test_a_missing_journal_is_an_empty_one(tmp_path: Path):
    """A run that has just begun has no journal, and nothing is wrong with that."""
    records, reading = _read(tmp_path / "journal.jsonl")
    assert records == []
    assert reading == Reading()
    assert reading.is_whole


def test_a_whole_journal_is_read_whole(tmp_path: Path):
    """Every record comes back, in order, and every byte is sound."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(LINES))
    records, reading = _read(path)
    assert records == RECORDS
    assert reading == Reading(lines=6, damaged_lines=0, sound_bytes=path.stat().st_size, torn_bytes=0)


def test_torn_anywhere_it_yields_the_whole_lines_before(tmp_path: Path):
    """Cut at every single byte: the lines before come back, the rest is counted, and appending mends the file."""
    path = tmp_path / "journal.jsonl"
    whole = b"".join(LINES)
    ends = [len(b"".join(LINES[:count])) for count in range(len(LINES) + 1)]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        lines = max(count for count, end in enumerate(ends) if end <= cut)
        records, reading = _read(path)
        assert records == RECORDS[:lines]
        assert reading == Reading(lines=lines, sound_bytes=ends[lines], torn_bytes=cut - ends[lines])
        assert reading.is_whole == (cut in ends)

        file = AppendFile(path, sync=False)
        file.truncate(reading.sound_bytes)
        file.append(LINES[0])
        file.close()
        records, reading = _read(path)
        assert records == [*RECORDS[:lines], RECORDS[0]]
        assert reading.is_whole


@pytest.mark.parametrize("junk", [b"\0" * 4096, b"\xff" * 33, b"\n\n\n", b'{"job":9,"crc":"deadbeef"}\n'])
def test_junk_at_the_end_is_torn(tmp_path: Path, junk: bytes):
    """Whatever stands after the last line that proves itself, newlines included, is a torn tail."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(LINES) + junk)
    records, reading = _read(path)
    assert records == RECORDS
    assert (reading.damaged_lines, reading.torn_bytes) == (0, len(junk))


def test_a_damaged_line_in_the_middle_is_skipped_and_counted(tmp_path: Path):
    """One flipped bit costs one line; the sound lines after it still count, and nothing is to be cut."""
    path = tmp_path / "journal.jsonl"
    damaged = bytearray(LINES[2])
    damaged[5] ^= 0x10
    path.write_bytes(LINES[0] + LINES[1] + damaged + b"rubbish\n" + LINES[3])
    records, reading = _read(path)
    assert records == [RECORDS[0], RECORDS[1], RECORDS[3]]
    assert reading == Reading(lines=3, damaged_lines=2, sound_bytes=path.stat().st_size, torn_bytes=0)
    assert not reading.is_whole


def test_damage_is_known_by_the_time_the_next_record_is_seen(tmp_path: Path):
    """Whoever folds the records learns of a gap before the first record behind it."""
    path = tmp_path / "journal.jsonl"
    path.write_bytes(LINES[0] + b"rubbish\n" + LINES[1])
    reading = Reading()
    assert [reading.damaged_lines for _record in read(path, reading)] == [0, 1]
