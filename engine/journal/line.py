"""One journal line: a JSON object whose last member is the checksum of what stands before it.

`{"event":"accepted","job":7,"crc":"441304b3"}` and a newline. The line is plain JSON for any reader; the
checksum is CRC-32 (zlib) over the object without its `crc` member, as orjson writes it. CRC-32 detects every
single flipped bit and every torn line; it is no defence against somebody who edits the file on purpose.

A *body* is a line without checksum and closing brace: what is left once the line has proven itself.
"""

import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

import orjson

__all__ = ["DamagedLine", "Json", "Record", "bodies_of", "decode", "encode", "record_of", "records_of"]

Json = Any  # the JSON edge: values are checked where they are read
Record = dict[str, Json]

_PROOF = b',"crc":"00000000"}'
_PROOF_BYTES = len(_PROOF)
_DIGITS_AT = _PROOF.index(b"0")


class DamagedLine(ValueError):
    """The line does not prove itself."""


def encode(record: Mapping[str, Json]) -> bytes:
    """Return the line for `record`, newline included.

    `record` must hold at least one member and none called `crc`; raises TypeError for values JSON lacks.
    """
    body = orjson.dumps(record)
    return b'%b,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body))


def decode(line: bytes) -> Record:
    """Return the record of one `line`, with or without its newline; raises DamagedLine."""
    bodies = bodies_of([line.removesuffix(b"\n")])
    if bodies is None:
        raise DamagedLine("checksum does not match")
    return record_of(bodies[0])


def bodies_of(lines: Sequence[bytes]) -> list[bytes] | None:
    """Return the bodies of `lines` (without newlines) when every one of them proves itself, else None.

    Many lines are checked by few calls: a million jobs are three million lines.
    """
    bodies = [line[:-_PROOF_BYTES] for line in lines]
    proofs = b"".join([line[-_PROOF_BYTES:] for line in lines])
    return bodies if proofs == _proofs(list(map(zlib.crc32, repeat(b"}"), map(zlib.crc32, bodies)))) else None


def _proofs(sums: list[int]) -> bytearray:
    """Return the proofs that say `sums`, one after the other; a third of the time that formatting each one takes."""
    packed = array("I", sums)
    if sys.byteorder == "little":
        packed.byteswap()
    digits = packed.tobytes().hex().encode()
    proofs = bytearray(_PROOF * len(sums))
    for at in range(8):
        proofs[_DIGITS_AT + at :: _PROOF_BYTES] = digits[at::8]
    return proofs


def record_of(body: bytes) -> Record:
    """Return the record of one body; raises DamagedLine when it is no JSON object."""
    try:
        record = orjson.loads(body + b"}")
    except orjson.JSONDecodeError as error:
        raise DamagedLine("not JSON") from error
    if not isinstance(record, dict):
        raise DamagedLine("not an object")
    return record


def records_of(bodies: Sequence[bytes]) -> list[Record]:
    """Return the records of `bodies`, as `record_of` would one by one; raises DamagedLine when one is no object."""
    try:
        records: list[Json] = orjson.loads(b"[%b}]" % b"},".join(bodies)) if bodies else []
    except orjson.JSONDecodeError as error:
        raise DamagedLine("not JSON") from error
    if len(records) != len(bodies) or not all(type(record) is dict for record in records):
        raise DamagedLine("not one object a line")
    return records
