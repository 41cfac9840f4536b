"""What an answer of the remote means for the run: the contract's error table as a pure function."""

import math
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

from engine.errors import EngineError, Fault
from engine.job.address import redacted

__all__ = ["Call", "Kind", "RemoteError", "classify", "parse_retry_after"]

# A longer wait than this is more likely a mistake than advice; the next answer says it again.
MAX_RETRY_AFTER_S = 900.0


class Call(StrEnum):
    """The calls of the contract; the engine makes all but FORGET_ALL, which is for other users of the client."""

    SUBMIT = "submit"
    STATUS = "status"
    LISTING = "listing"
    LINK = "link"
    INPUT_LINK = "input link"
    FILE = "file"
    FORGET = "forget"
    FORGET_ALL = "forget all"
    CANCEL = "cancel"
    ESTIMATE = "estimate"
    BALANCE = "balance"


class Kind(StrEnum):
    """What to do about it."""

    BAD_JOB = "bad job"  # this input or setting: fail the job, never retry
    KEY_REFUSED = "key refused"  # stop submitting, end with a clear error
    NO_CREDITS = "no credits"  # stop submitting, finish what is in flight, end resumable
    BUSY = "busy"  # an order for credits is in progress: pause all submits
    TOO_FAST = "too fast"  # certainly not accepted: slow down, repeat
    UNREACHABLE = "unreachable"  # certainly not sent: repeat
    UNCLEAR = "unclear"  # a POST that may have been accepted: look it up before any repeat
    TRANSIENT = "transient"  # a read that failed: repeat
    GONE = "gone"  # no such job there
    NOT_YET = "not yet"  # not finished, or too late to cancel
    EXPIRED_LINK = "expired link"  # mint a new one
    WRONG_ADDRESS = "wrong address"  # this is not the API: stop the run
    NOT_OFFERED = "not offered"  # an API without this call: do without


class RemoteError(EngineError):
    """The remote did not do what was asked; `kind` says what that means for the run."""

    fault = Fault.REMOTE

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        status: int = 0,
        retry_after_s: float | None = None,
        sent_at: float = float("-inf"),
        is_lasting: bool = False,
    ) -> None:
        """`sent_at`: when the request left, in monotonic seconds, where that matters. `is_lasting`: somebody has to
        mend something before the same can work.

        Addresses in `message`, which may be the remote's own words, lose what signs them.
        """
        super().__init__(redacted(message))
        self.kind = kind
        self.status = status
        self.retry_after_s = retry_after_s
        self.sent_at = sent_at
        self.is_lasting = is_lasting
        self.elsewhere_helps = False  # one member of a pool failed, and others can make up for it

    @property
    def retry_helps(self) -> bool:  # type: ignore[override]  # decided by kind, not by class
        return self.kind in (Kind.BUSY, Kind.TOO_FAST, Kind.UNREACHABLE, Kind.TRANSIENT, Kind.EXPIRED_LINK)


_ANY_CALL = {
    401: Kind.KEY_REFUSED,
    402: Kind.NO_CREDITS,
    412: Kind.NO_CREDITS,
    425: Kind.BUSY,
    429: Kind.TOO_FAST,
}
_BY_CALL = {
    Call.SUBMIT: {
        400: Kind.BAD_JOB,
        403: Kind.KEY_REFUSED,
        404: Kind.WRONG_ADDRESS,
        405: Kind.WRONG_ADDRESS,
        408: Kind.UNCLEAR,
        413: Kind.BAD_JOB,
        415: Kind.BAD_JOB,
        422: Kind.BAD_JOB,
    },
    Call.FILE: {401: Kind.EXPIRED_LINK, 403: Kind.EXPIRED_LINK, 404: Kind.EXPIRED_LINK, 410: Kind.EXPIRED_LINK},
    Call.ESTIMATE: {
        400: Kind.BAD_JOB,
        403: Kind.KEY_REFUSED,
        404: Kind.NOT_OFFERED,
        405: Kind.NOT_OFFERED,
        413: Kind.BAD_JOB,
        415: Kind.BAD_JOB,
        422: Kind.BAD_JOB,
        501: Kind.NOT_OFFERED,
    },
    Call.BALANCE: {403: Kind.KEY_REFUSED, 404: Kind.NOT_OFFERED, 405: Kind.NOT_OFFERED, 501: Kind.NOT_OFFERED},
}
_READS = {403: Kind.KEY_REFUSED, 404: Kind.GONE, 409: Kind.NOT_YET, 410: Kind.GONE}


def classify(call: Call, status: int) -> Kind:
    """Return what HTTP `status` means as the answer to `call`; only for statuses that are no success."""
    own = _BY_CALL.get(call, _READS)
    if status in own:
        return own[status]
    if status in _ANY_CALL:
        return _ANY_CALL[status]
    if 300 <= status < 400:
        return Kind.WRONG_ADDRESS
    if call is Call.SUBMIT:
        return Kind.UNCLEAR if status >= 500 else Kind.BAD_JOB
    return Kind.TRANSIENT


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks for (seconds or HTTP date), 0 to 900; None if unusable."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
            seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, OverflowError):
            return None
    if math.isnan(seconds):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER_S)
