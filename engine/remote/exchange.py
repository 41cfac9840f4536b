"""One call of the contract, with the key, to one base URL: sent once, counted, paced, its failure explained."""

import json
from email.utils import parsedate_to_datetime
from typing import Any

from engine.clock import Clock
from engine.job.address import redacted
from engine.remote.answer import said_in
from engine.remote.failures import Call, Kind, RemoteError, classify, parse_retry_after
from engine.remote.json_body import JsonBody
from engine.remote.multipart import Upload
from engine.remote.pace import Pace
from engine.remote.transport import ConnectError, DistrustError, Response, Transport, TransportError

__all__ = ["Exchange", "broken"]

# The Date header has whole seconds and an answer takes its time: a smaller difference says nothing.
_SAME_CLOCK_S = 5.0
_MAX_WORDS = 300  # characters that are shown of what the remote says
_MAX_READ = 64 * 1024  # characters that are looked at for them


class Exchange:
    """What all calls with one key at one base URL share. `requests` counts those made, by call."""

    def __init__(self, transport: Transport, base_url: str, key: str, clock: Clock) -> None:
        self.transport = transport
        self.base = base_url.rstrip("/")
        self.pace = Pace(clock)
        self.requests = dict.fromkeys(Call, 0)
        self._key = key
        self._key_in_json = json.dumps(key)[1:-1].encode()
        self._headers = {"X-API-Key": key, "Accept": "application/json"}
        self._clock = clock
        self._date: tuple[str | None, float] = (None, 0.0)  # the newest Date header, and its Unix time

    def __repr__(self) -> str:
        return f"<Exchange {self.base}: {sum(self.requests.values())} requests>"

    async def call(
        self, call: Call, method: str, path: str, body: Upload | JsonBody | None = None, *, base: str = ""
    ) -> Response:
        """Send one request when it is its turn and return the answer; raises RemoteError for all but success.

        `path` follows the base URL, or another `base` of the same host. A submit does not wait here: whoever submits
        takes its turn before the intent.
        """
        if call is not Call.SUBMIT:
            await self.pace.turn()
        self.requests[call] += 1
        sent_at = self._clock.monotonic()
        url = (base or self.base) + path
        try:
            answer = await self.transport.request(method, url, headers=self._headers, upload=body)
        except TransportError as error:
            raise broken(call, error) from error
        if 200 <= answer.status < 300:
            self.pace.worked()
            return answer
        refusal = self.error(call, answer)
        refusal.sent_at = sent_at
        if refusal.kind is Kind.TOO_FAST:
            self.pace.refused(sent_at, refusal.retry_after_s)
        else:
            self.pace.worked()
        raise refusal

    def error(self, call: Call, answer: Response) -> RemoteError:
        """Return what an answer that is no success means."""
        retry_after_s = parse_retry_after(answer.headers.get("Retry-After"), self._clock.now())
        message = f"{call} was answered {answer.status}: {self.words(said_in(answer)) or 'no message'}"
        return RemoteError(classify(call, answer.status), message, status=answer.status, retry_after_s=retry_after_s)

    def words(self, said: str) -> str:
        """Return what the remote says as it may be shown: on one line, and not too much of it.

        Key and addresses are made harmless first: half of one would not be known for what it is.
        """
        return " ".join(redacted(self._without_key(said[:_MAX_READ])).split())[:_MAX_WORDS]

    def repeats_key(self, answer: Response) -> bool:
        """Say whether the key stands somewhere in an answer; then its rows are to be `discreet`."""
        return bool(self._key) and self._key_in_json in answer.body

    def discreet(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a status row whose words, which end up in the results, do not have the key in them."""
        said, warnings = row.get("message"), row.get("warnings")
        words = {"message": self._without_key(said)} if isinstance(said, str) else {}
        told = {"warnings": [self._without_key(str(each)) for each in warnings]} if isinstance(warnings, list) else {}
        return {**row, **words, **told}

    def _without_key(self, said: str) -> str:
        return said.replace(self._key, "(the key)") if self._key else said

    def skew_s(self, answer: Response) -> float:
        """Return how far the remote's clock is ahead, by the Date of its answer; 0 when it is about the same."""
        date = answer.headers.get("Date", "")
        if date != self._date[0]:  # a thousand answers a second have the same
            try:
                self._date = date, parsedate_to_datetime(date).timestamp()
            except (ValueError, TypeError, OverflowError):
                return 0.0
        skew_s = self._date[1] - self._clock.now()
        return skew_s if abs(skew_s) > _SAME_CLOCK_S else 0.0


def broken(call: Call, error: TransportError) -> RemoteError:
    """Return what a broken line means for `call`."""
    kind = Kind.UNCLEAR if call is Call.SUBMIT else Kind.TRANSIENT
    if isinstance(error, ConnectError):
        kind = Kind.UNREACHABLE
    return RemoteError(kind, f"{call} broke off ({error})", is_lasting=isinstance(error, DistrustError))
