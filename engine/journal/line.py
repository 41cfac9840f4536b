"""One journal line: a JSON object whose last member is the checksum of what stands before it.

`{"event":"accepted","job":7,"crc":"441304b3"}` and a newline. The line is plain JSON for any reader; the
checksum is CRC-32 (zlib) over the object without its `crc` member, as orjson writes it. CRC-32 detects every
single flipped bit and every torn line; it is no defence against somebody who edits the file on purpose.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import orjson

__all__ = ["DamagedLine", "Json", "Record", "decode", "encode"]

Json = Any  # the JSON edge: values are checked where they are read
Record = dict[str, Json]

_SEPARATOR = b',"crc":"'
_TAIL_BYTES = len(_SEPARATOR) + 8 + len(b'"}')


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
    line = line.removesuffix(b"\n")
    body = line[:-_TAIL_BYTES] + b"}"
    if line[-_TAIL_BYTES:] != b'%b%08x"}' % (_SEPARATOR, zlib.crc32(body)):
        raise DamagedLine("checksum does not match")
    try:
        record = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise DamagedLine("not JSON") from error
    if not isinstance(record, dict):
        raise DamagedLine("not an object")
    return record
