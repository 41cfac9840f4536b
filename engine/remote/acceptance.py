"""What a submit sends and where to, and what its answer says: the one exchange that costs money."""

from dataclasses import dataclass
from enum import StrEnum

from engine.remote.answer import is_process_id, unix_time, value_of
from engine.remote.exchange import Exchange
from engine.remote.failures import Call, Kind, RemoteError
from engine.remote.multipart import Upload
from engine.remote.transport import Response

__all__ = ["Accepted", "Route", "submit"]


class Route(StrEnum):
    """The contract's submit routes; each takes the same envelope with its own models and settings."""

    RESTORE_GEN = "restore-gen"
    ENHANCE = "enhance"
    ENHANCE_GEN = "enhance-gen"
    SHARPEN = "sharpen"
    SHARPEN_GEN = "sharpen-gen"
    DENOISE = "denoise"
    LIGHTING = "lighting"
    MATTING = "matting"
    TOOL = "tool"


_PATHS: dict[str, str] = {route: f"/{route}/async" for route in Route}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer to a submit; `eta` is Unix seconds by this machine's clock, 0 when not said.

    `source_id` names the input at the remote for a later submit; empty when not said.
    """

    process_id: str
    eta: float
    source_id: str = ""


async def submit(exchange: Exchange, upload: Upload, route: str) -> Accepted:
    """Send one form to `route`. RemoteError of kind UNCLEAR means that it may have been accepted.

    Raises ValueError, with nothing sent, for a route that the contract does not have.
    """
    if route not in _PATHS:
        raise ValueError(f"the contract has no route {route}")
    answer = await exchange.call(Call.SUBMIT, "POST", _PATHS[route], upload)
    members = _members(answer)
    process_id = _id(members.get("process_id"), answer.headers.get("X-Process-ID"))
    if not process_id:
        raise RemoteError(Kind.UNCLEAR, "the submit was answered without a process id", status=answer.status)
    source_id = _id(members.get("source_id"), answer.headers.get("X-Source-ID"))
    eta = unix_time(members.get("eta")) or unix_time(answer.headers.get("X-ETA"))
    return Accepted(process_id, max(0.0, eta - exchange.skew_s(answer)) if eta else 0.0, source_id)


def _id(said: object, in_header: str | None) -> str:
    """Return the id in the answer's body or else the one in its header; empty where neither can be one."""
    if is_process_id(said):
        return said
    return in_header if in_header and is_process_id(in_header) else ""


def _members(answer: Response) -> dict[str, object]:
    """Return the members of a success; its headers say the same, so a body that can't be read may be made up for."""
    try:
        members = value_of(answer, Kind.UNCLEAR)
    except RemoteError:
        members = None
    if isinstance(members, dict):
        return members
    if answer.headers.get("X-Process-ID"):
        return {}
    raise RemoteError(Kind.UNCLEAR, "the answer is not JSON", status=answer.status)
