"""One line: what it looks like, and what is refused."""

import json
import zlib

import pytest

from engine.journal.line import DamagedLine, decode, encode


def test_a_line_is_plain_json_that_ends_in_its_checksum():
    """Any JSON reader can read a line; the checksum is CRC-32 of the object without it."""
    line = encode({"event": "accepted", "job": 7})
    assert line == b'{"event":"accepted","job":7,"crc":"441304b3"}\n'
    assert json.loads(line) == {"event": "accepted", "job": 7, "crc": "441304b3"}
    assert zlib.crc32(b'{"event":"accepted","job":7}') == 0x441304B3


def test_a_line_reads_back_with_or_without_its_newline():
    """The newline ends a line and is not part of its proof."""
    line = encode({"job": 1})
    assert decode(line) == decode(line[:-1]) == {"job": 1}


def test_a_checksum_is_padded_to_eight_digits():
    """A CRC that begins with zeros proves itself like any other."""
    record = next({"n": n} for n in range(10_000) if zlib.crc32(b'{"n":%d}' % n) < 0x0010_0000)
    assert decode(encode(record)) == record


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"{}\n",
        b"null\n",
        b'{"job":1}\n',
        b'{"job":1,"crc":"00000000"}\n',
        b'"crc":"441304b3"}',
        b'\xff\xfe,"crc":"441304b3"}\n',
        bytes(64),
    ],
)
def test_what_does_not_prove_itself_is_damaged(line: bytes):
    """Text without the right checksum is never taken for a record."""
    with pytest.raises(DamagedLine):
        decode(line)


@pytest.mark.parametrize("body", [b"not json at all}", b'["a","b"}', b'{"a":1,}', b"}"])
def test_a_right_checksum_over_no_json_is_damaged_too(body: bytes):
    """A line that somebody made by hand ends in the same error, not in another one."""
    with pytest.raises(DamagedLine):
        decode(b'%b,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body)))


@pytest.mark.parametrize("value", [object(), {1: 2}, {1, 2}, b"bytes", "\ud800", 2**64])
def test_what_json_lacks_is_a_type_error(value: object):
    """A record that could not be read back is refused when it is written."""
    with pytest.raises(TypeError):
        encode({"value": value})


def test_uppercase_digits_do_not_pass():
    """The proof is exact: a flipped bit that turns a hex digit's case is found."""
    record = {"job": 12}
    line = encode(record)
    crc = line[-11:-3]
    assert crc != crc.upper(), "pick a record whose checksum has a letter"
    with pytest.raises(DamagedLine):
        decode(line.replace(crc, crc.upper()))
