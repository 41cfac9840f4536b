"""The journal's promises, over records and damage that nobody thought of."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.disk import AppendFile
from engine.journal.line import DamagedLine, decode, encode
from engine.journal.replay import Reading, read

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.dictionaries(TEXT.filter(lambda name: name != "crc"), VALUES, min_size=1, max_size=5)
IN_A_FOLDER = [HealthCheck.function_scoped_fixture]


@settings(max_examples=200, deadline=None)
@given(record=RECORDS)
def test_any_record_comes_back(record: dict):
    """Whatever JSON can say, a line holds it: one line, no more, and the same record again."""
    line = encode(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line) == record


@settings(max_examples=60, deadline=None)
@given(record=RECORDS, data=st.data())
def test_any_single_flipped_bit_is_found(record: dict, data: st.DataObject):
    """No bit of a line can change without the line losing its proof."""
    line = encode(record)
    for at in range(len(line)) if len(line) < 40 else data.draw(st.sets(st.integers(0, len(line) - 1), min_size=8)):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[at] ^= 1 << bit
            with pytest.raises(DamagedLine):
                decode(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(record=RECORDS)
def test_any_cut_is_found(record: dict):
    """No part of a line passes for the whole, from either side."""
    line = encode(record)
    for at in range(1, len(line)):
        with pytest.raises(DamagedLine):
            decode(line[at:])
        if at < len(line) - 1:  # all but the newline is still the whole record
            with pytest.raises(DamagedLine):
                decode(line[:at])


@settings(max_examples=60, deadline=None)
@given(one=RECORDS, other=RECORDS)
def test_two_lines_run_together_are_no_line(one: dict, other: dict):
    """A lost newline costs both records and invents none."""
    with pytest.raises(DamagedLine):
        decode(encode(one).removesuffix(b"\n") + encode(other))


@settings(max_examples=60, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=st.lists(RECORDS, min_size=1, max_size=5), more=RECORDS, data=st.data())
def test_a_torn_journal_keeps_its_whole_lines_and_goes_on(
    tmp_path: Path, records: list, more: dict, data: st.DataObject
):
    """Torn at any byte: the whole lines before stand, the torn bytes are counted, and cut off it is whole again."""
    path = tmp_path / "journal.jsonl"
    lines = [encode(record) for record in records]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = sum(len(b"".join(lines[: count + 1])) <= cut for count in range(len(lines)))
    sound = len(b"".join(lines[:kept]))

    reading = Reading()
    assert list(read(path, reading)) == records[:kept]
    assert reading == Reading(lines=kept, sound_bytes=sound, torn_bytes=cut - sound)

    file = AppendFile(path, sync=False)
    file.truncate(reading.sound_bytes)
    file.append(encode(more))
    file.close()
    reading = Reading()
    assert list(read(path, reading)) == [*records[:kept], more]
    assert reading.is_whole


@settings(max_examples=60, deadline=None, suppress_health_check=IN_A_FOLDER)
@given(records=st.lists(RECORDS, min_size=3, max_size=6), data=st.data())
def test_a_damaged_line_costs_itself_alone(tmp_path: Path, records: list, data: st.DataObject):
    """One flipped bit before the last line: all other records come back, and the damage is counted."""
    path = tmp_path / "journal.jsonl"
    lines = [encode(record) for record in records]
    hit = data.draw(st.integers(0, len(lines) - 2))
    damaged = bytearray(lines[hit])
    at = data.draw(st.integers(0, len(damaged) - 2))  # its newline is another test's
    damaged[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(b"".join([*lines[:hit], bytes(damaged), *lines[hit + 1 :]]))
    reading = Reading()
    assert list(read(path, reading)) == records[:hit] + records[hit + 1 :]
    assert reading.damaged_lines == 1 + (damaged.count(b"\n") - 1)
    assert (reading.torn_bytes, reading.sound_bytes) == (0, path.stat().st_size)
