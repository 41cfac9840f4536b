"""A remote whose answers are changed on their way: they are JSON still, and not what the contract says."""

from collections.abc import Callable, Mapping

import orjson

from engine.remote.multipart import Upload
from engine.remote.transport import Response
from tests.fakes.remote import FakeRemote
from tests.pipeline.harness import SIZE, Bench, picture

Alter = Callable[[str, Response], Response]


class AlteredRemote(FakeRemote):
    """Does what the honest one does, and then answers what `alter` makes of its answer."""

    alter: Alter

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | None = None
    ) -> Response:
        made = len(self.requests)
        answer = await super().request(method, url, headers=headers, upload=upload)
        return self.alter(self.requests[made][0], answer)


def altered(bench: Bench, alter: Alter) -> Bench:
    """Put such a remote in the place of the bench's own."""
    remote = AlteredRemote(bench.clock, result=picture(), size=SIZE)
    remote.alter = alter
    bench.remote = remote
    return bench


def with_json(answer: Response, change: Callable[[dict], object]) -> Response:
    """Return `answer` with its JSON changed in place by `change`."""
    if not answer.body:
        return answer
    members = orjson.loads(answer.body)
    change(members)
    return Response(answer.status, answer.headers, orjson.dumps(members))
