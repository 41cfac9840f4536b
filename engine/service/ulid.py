"""ULIDs (github.com/ulid/spec): 48 bits of milliseconds, 80 bits more, as 26 characters that sort like the numbers.

Pure: the time and the other bits are given.
"""

__all__ = ["ulid"]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_CHARS = 26
_REST_BITS = 80


def ulid(milliseconds: int, rest: int) -> str:
    """Return the ULID of a Unix time and 80 bits; raises ValueError for what does not fit."""
    if not (0 <= milliseconds < 1 << 48 and 0 <= rest < 1 << _REST_BITS):
        raise ValueError("a ULID has 48 bits of milliseconds and 80 bits more")
    number = milliseconds << _REST_BITS | rest
    return "".join([_CROCKFORD[number >> 5 * place & 31] for place in reversed(range(_CHARS))])
