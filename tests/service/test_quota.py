"""What each owner holds, against the limits of its key."""

import pytest

from engine.service.key import Key, KeyLimits
from engine.service.quota import Holding, Quota
from engine.service.refusal import Refusal


def key(**limits) -> Key:
    return Key(id="k1", name="team", digest=bytes(32), limits=KeyLimits(**limits))


def refusal(quota: Quota, of: Key, size_bytes: int = 0) -> str:
    with pytest.raises(Refusal) as refused:
        quota.check(of, size_bytes)
    assert refused.value.status == 429
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_no_limit_is_no_limit():
    """A key without limits is never refused."""
    quota = Quota()
    for _ in range(1000):
        quota.check(key(), 10**9)
        quota.added("k1", 10**9)


def test_unfinished_jobs_are_limited():
    """As many as allowed, not one more; one that ends makes room, and other owners are not counted."""
    quota, of = Quota(), key(max_unfinished_jobs=2)
    for _ in range(2):
        quota.check(of, 1)
        quota.added("k1", 1)
        quota.added("other", 1)
    assert "2 unfinished jobs, of 2 allowed" in refusal(quota, of)
    quota.ended("k1")
    quota.check(of, 1)


def test_stored_bytes_are_limited():
    """Inputs and outputs count until they are deleted; what just fits is taken."""
    quota, of = Quota(), key(max_stored_bytes=10_000_000)
    quota.added("k1", 4_000_000)
    quota.ended("k1", 3_000_000)
    quota.check(of, 3_000_000)
    assert "stores 7.0 MB of 10.0 MB allowed, and this job adds 3.5 MB" in refusal(quota, of, 3_500_000)
    quota.removed("k1", 7_000_000)
    quota.check(of, 10_000_000)


def test_an_owner_without_anything_is_forgotten():
    """Memory is for those who have something here, and nothing falls below zero."""
    quota = Quota()
    quota.added("k1", 5)
    assert quota.of("k1") == Holding(unfinished_jobs=1, stored_bytes=5)
    quota.ended("k1", 2)
    quota.removed("k1", 7)
    quota.removed("k1", 7)
    quota.ended("k2")
    assert repr(quota) == "<Quota: 0 owners, 0 unfinished jobs>"
