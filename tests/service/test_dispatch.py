"""Order for each job, turns for keys and for hosts, waits after failures: the queue by itself."""

import math
from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from engine.service.dispatch import Dispatch, retry_delay_s
from engine.service.job_state import Status
from engine.service.notification import notification_of
from tests.service.webhook_jobs import job_of, turn


def _notice(process_id, number=0, host="a", owner="k1"):
    job = job_of(process_id, url=f"https://{host}.example/", owner=owner)
    turn(job, Status.PROCESSING, after_s=float(number))
    return notification_of(job)


def _drain(dispatch, now=0.0):
    taken = []
    while (notification := dispatch.take(now)) is not None:
        taken.append(notification)
    return taken


def test_delays_double_up_to_fifteen_minutes():
    """5, 10, 20 ... 900 seconds, however long it goes on."""
    assert [retry_delay_s(failures) for failures in range(1, 11)] == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
    assert retry_delay_s(100_000) == 900


def test_a_later_status_waits_for_the_earlier_one():
    """Neither while the first is under way nor while it waits for a retry is the second of a job sent."""
    dispatch = Dispatch()
    first, second = _notice("one", 0), _notice("one", 1)
    dispatch.add(first)
    dispatch.add(second)
    assert (_drain(dispatch), dispatch.pending) == ([first], 2)
    dispatch.retry(first, 0.0)
    assert (_drain(dispatch, 4.9), dispatch.next_due()) == ([], 5.0)
    assert _drain(dispatch, 5.0) == [first]
    dispatch.settle(first)
    assert (_drain(dispatch, 5.0), dispatch.pending, dispatch.next_due()) == ([second], 1, math.inf)
    dispatch.retry(second, 5.0)
    assert dispatch.next_due() == 10.0  # its own first failure
    assert repr(dispatch) == "<Dispatch: 1 pending, 0 under way, 1 to be tried again>"


def test_what_is_queued_already_is_not_queued_again():
    """The same status said twice is one notification."""
    dispatch = Dispatch()
    for _ in range(3):
        dispatch.add(_notice("one"))
    assert (dispatch.pending, len(_drain(dispatch))) == (1, 1)


def test_a_long_line_loses_what_is_superseded():
    """Of a job that is queued again and again the first, which may be under way, and the newest are kept."""
    dispatch = Dispatch()
    notices = [_notice("one", number) for number in range(7)]
    for notice in notices:
        dispatch.add(notice)
    assert (dispatch.pending, dispatch.superseded) == (4, 3)
    sent = []
    while (notice := dispatch.take(0.0)) is not None:
        sent.append(notice)
        dispatch.settle(notice)
    assert sent == [notices[0], *notices[4:]]


def _settle_all(dispatch, taken, is_answered):
    """Settle what `is_answered`, and what follows it, until nothing more can be taken; return what was settled."""
    settled = []
    while answered := [notice for notice in taken if is_answered(notice)]:
        for notice in answered:
            dispatch.settle(notice)
        settled += answered
        taken = _drain(dispatch)
    return settled


def test_a_busy_host_leaves_room_for_others():
    """Of one key at most four to one host and eight in all, and its hosts take turns."""
    dispatch = Dispatch()
    for number in range(100):
        dispatch.add(_notice(f"slow {number}", host="slow"))
    for host in range(20):
        for number in range(3):
            dispatch.add(_notice(f"{host} {number}", host=f"h{host}"))
    taken = _drain(dispatch)
    assert [notice.host.split(".")[0] for notice in taken] == ["slow", *(f"h{host}" for host in range(7))]
    assert len(_settle_all(dispatch, taken, lambda notice: notice.host != "slow.example")) == 60
    assert repr(dispatch) == "<Dispatch: 100 pending, 4 under way, 0 to be tried again>"


def test_a_key_with_many_hosts_leaves_room_for_other_keys():
    """One domain has as many hosts as one likes: a key gets eight places, and the next key's turn comes at once."""
    dispatch = Dispatch()
    for number in range(100):
        dispatch.add(_notice(f"tarpit {number}", host=f"t{number}", owner="hostile"))
    assert len(_drain(dispatch)) == 8
    for number in range(50):
        dispatch.add(_notice(f"quick {number}", host=f"q{number}", owner="other"))
    assert len(_settle_all(dispatch, _drain(dispatch), lambda notice: notice.owner == "other")) == 50
    assert repr(dispatch) == "<Dispatch: 100 pending, 8 under way, 0 to be tried again>"


def test_keys_take_turns():
    """Each place that gets free is the next key's, however many notifications and hosts one has."""
    dispatch = Dispatch(at_once=1)
    for number in range(9):
        dispatch.add(_notice(f"many {number}", host=f"h{number}", owner="many"))
    for number in range(3):
        dispatch.add(_notice(f"few {number}", owner="few"))
    taken = []
    for _ in range(7):
        taken += _drain(dispatch)
        dispatch.settle(taken[-1])
    assert [notice.owner for notice in taken] == ["many", "few", "many", "few", "many", "few", "many"]


def test_two_keys_do_not_share_the_places_of_a_host():
    """A host that both named is each one's own: what one of them has under way to it takes nothing from the other."""
    dispatch = Dispatch()
    for number in range(9):
        dispatch.add(_notice(f"one {number}", owner="one"))
        dispatch.add(_notice(f"two {number}", owner="two"))
    assert Counter(notice.owner for notice in _drain(dispatch)) == {"one": 4, "two": 4}


def test_dropping_a_job_drops_all_of_it():
    """A forgotten job's line goes whole, and its place is free."""
    dispatch = Dispatch(at_once=1)
    for number in range(3):
        dispatch.add(_notice("one", number))
    dispatch.add(_notice("two"))
    (first,) = _drain(dispatch)
    assert (dispatch.drop(first), dispatch.pending) == (3, 1)
    assert [notice.process_id for notice in _drain(dispatch)] == ["two"]


@given(st.data())
def test_whatever_happens_all_are_sent_in_order_within_the_limits(data):
    """Under random adds, answers and waits: no limit is passed, no job out of order, and nothing is left behind."""
    dispatch, now, number = Dispatch(at_once=4, at_once_per_owner=3, at_once_per_host=2), 0.0, 0
    under_way, expected, settled = [], defaultdict(list), defaultdict(list)
    for _ in range(data.draw(st.integers(1, 60))):
        match data.draw(st.sampled_from(["add", "take", "settle", "retry", "wait"])):
            case "add":
                number += 1
                job = data.draw(st.integers(0, 5))
                waiting = len(expected[str(job)]) - len(settled[str(job)])
                if waiting < 4:
                    notice = _notice(str(job), number, host=f"h{job % 2}", owner=f"k{job % 3 % 2}")
                    expected[str(job)].append(notice.id)
                    dispatch.add(notice)
            case "take":
                under_way += _drain(dispatch, now)
                assert len(under_way) <= 4
                assert max(Counter(notice.owner for notice in under_way).values(), default=0) <= 3
                assert max(Counter((notice.owner, notice.host) for notice in under_way).values(), default=0) <= 2
                assert len({notice.process_id for notice in under_way}) == len(under_way)
            case "settle" if under_way:
                notice = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
                dispatch.settle(notice)
                settled[notice.process_id].append(notice.id)
            case "retry" if under_way:
                dispatch.retry(under_way.pop(0), now)
            case "wait":
                now += data.draw(st.floats(0, 1000))
    while dispatch.pending:
        now += 1000.0
        under_way += _drain(dispatch, now)
        for notice in under_way:
            dispatch.settle(notice)
            settled[notice.process_id].append(notice.id)
        under_way = []
    assert dict(settled) == {job: ids for job, ids in expected.items() if ids}
    assert repr(dispatch) == "<Dispatch: 0 pending, 0 under way, 0 to be tried again>"
