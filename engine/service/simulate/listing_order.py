"""The orders in which a simulated listing can stand: clients must not rely on any. Pure.

A sequence number is that of a job, or below 0 for rows that were there before. Positions stay under 16 digits.
"""

import hashlib

from engine.service.listing import Order
from engine.service.simulate.simulation import ListingOrder

__all__ = ["order_of"]

_MIDDLE = 2**31  # sequence numbers lie between -_MIDDLE and _MIDDLE
_BUCKETS = 2**14


def order_of(order: ListingOrder, seed: int) -> Order:
    """Return `order` with its places; the random one is shuffled by `seed`."""
    match order:
        case ListingOrder.NEWEST:
            return Order(place=lambda sequence: _MIDDLE + sequence)
        case ListingOrder.OLDEST:
            return Order(place=lambda sequence: _MIDDLE - sequence)
        case ListingOrder.RANDOM:
            return Order(place=lambda sequence: _shuffled(sequence, seed), block=2 * _MIDDLE)


def _shuffled(sequence: int, seed: int) -> int:
    """Return a place in one of the buckets, which are blocks of the listing; within one the newest is first."""
    digest = hashlib.blake2b(f"{seed} {sequence}".encode(), digest_size=4).digest()
    return int.from_bytes(digest) % _BUCKETS * (2 * _MIDDLE) + _MIDDLE + sequence
