"""The account behind a key: what it has to spend."""

from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from engine.remote.answer import members_of
from engine.remote.exchange import Exchange
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.row import finite

__all__ = ["Balance", "balance"]

_IMAGE, _ACCOUNT = "/image/v1", "/account/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Credits. `available` can be reserved still, `reserved` are of jobs under way, `total` is both.

    `is_at_most`: some of them may be counted twice, in the sums of several keys that may be of one account.
    """

    available: int
    reserved: int = 0
    total: int = 0
    is_at_most: bool = False


async def balance(exchange: Exchange) -> Balance:
    """Ask for the balance; raises RemoteError, of kind NOT_OFFERED where the remote keeps no account."""
    answer = await exchange.call(Call.BALANCE, "GET", "/credits/balance", base=_account(exchange.base))
    members = members_of(answer)
    available = members.get("available_credits")
    if isinstance(available, bool) or not isinstance(available, int | float):
        raise RemoteError(Kind.TRANSIENT, "the balance was answered without its credits")
    reserved, total = (int(finite(members.get(name))) for name in ("reserved_credits", "total_credits"))
    return Balance(available=int(finite(available)), reserved=reserved, total=total)


def _account(base: str) -> str:
    """Return where the account's calls are: beside the image calls, on the same host, since they carry the key."""
    parts = urlsplit(base)
    before, image, _rest = parts.path.rpartition(_IMAGE)
    path = (before if image else "") + _ACCOUNT
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
