"""What the backend itself would ask for a run: a question for each distinct size, many of them in one request."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from engine.inputs.scan import Sizing
from engine.job.spec import JobSpec
from engine.pipeline.patience import Patience
from engine.remote.connect import Remote
from engine.remote.failures import Kind, RemoteError
from engine.remote.prices import BULK, Question, Quote

__all__ = ["Demand", "Quoted", "quoted"]

_SINGLY_AT_ONCE = 8


class Sort(NamedTuple):
    """Jobs that are alike: one question for each of their stages, and what one costs by the price table in credits."""

    questions: tuple[Question, ...]
    credits: int


@dataclass(slots=True)
class Demand:
    """How many jobs of each kind a run has; inputs whose size is not known yet are left out, and counted."""

    sizing: Sizing
    kinds: Counter[Sort] = field(default_factory=Counter)
    unknown: int = 0

    def watch(self, jobs: Iterable[JobSpec]) -> Iterator[JobSpec]:
        """Yield `jobs` as they are, counting those that would be sent."""
        for spec in jobs:
            if not spec.reason:
                self._count(spec)
            yield spec

    def _count(self, spec: JobSpec) -> None:
        if not spec.width:
            self.unknown += 1
            return
        self.kinds[Sort(tuple(_questions(self.sizing, (spec.width, spec.height))), spec.credits)] += 1


def _questions(sizing: Sizing, size: tuple[int, int]) -> Iterator[Question]:
    out = sizing.output_size(*size)
    if sizing.then is None:
        yield _restoring(sizing, size, out)
    else:
        yield _restoring(sizing, size, size)
        yield _enhancing(sizing.then.model, size, out)


def _restoring(sizing: Sizing, size: tuple[int, int], out: tuple[int, int]) -> Question:
    return _question("Restore", sizing.parameters.model, size, out, is_generative=True)


def _enhancing(model: str, size: tuple[int, int], out: tuple[int, int]) -> Question:
    return _question("Enhance", model, size, out, is_generative=False)


def _question(
    category: str, model: str, size: tuple[int, int], out: tuple[int, int], *, is_generative: bool
) -> Question:
    is_kept = out == size
    return Question(
        category=category,
        model=model,
        input_width=size[0],
        input_height=size[1],
        output_width=None if is_kept else out[0],
        output_height=None if is_kept else out[1],
        is_generative=is_generative,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quoted:
    """What the backend asks. `difference` is that from the price table, over the same jobs; both in credits.

    `duration_s` adds up what every job takes by itself, `longest_s` is the longest of them. `refused` counts jobs that
    the backend says it would refuse, at whichever stage, by reason; in the sums there is nothing of them. `kinds`: how
    many questions that took.
    """

    backend: str
    credits: int
    difference: int
    duration_s: float
    longest_s: float
    kinds: int
    unknown: int
    refused: dict[str, int]

    def record(self) -> dict[str, Any]:
        """Return the members for `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


async def quoted(client: Remote, demand: Demand, backend: str, patience: Patience) -> Quoted:
    """Ask for all kinds of jobs in `demand`; raises RemoteError when the backend can't be asked."""
    questions = list(dict.fromkeys(itertools.chain.from_iterable(kind.questions for kind in demand.kinds)))
    answers = dict(zip(questions, await _quotes(client, questions, patience), strict=True))
    refused: Counter[str] = Counter()
    price, difference, duration_s, longest_s = 0, 0, 0.0, 0.0
    for kind, count in demand.kinds.items():
        quotes = [answers[question] for question in kind.questions]
        if reason := next((quote.reason for quote in quotes if quote.reason), ""):
            refused[reason] += count
            continue
        one, takes_s = sum(quote.credits for quote in quotes), sum(quote.duration_s for quote in quotes)
        price += one * count
        difference += (one - kind.credits) * count
        duration_s += takes_s * count
        longest_s = max(longest_s, takes_s)
    return Quoted(
        backend=backend,
        credits=price,
        difference=difference,
        duration_s=round(duration_s, 3),
        longest_s=round(longest_s, 3),
        kinds=len(questions),
        unknown=demand.unknown,
        refused=dict(refused.most_common()),
    )


async def _quotes(client: Remote, kinds: list[Question], patience: Patience) -> list[Quote]:
    quotes: list[Quote] = []
    rest = iter(kinds)
    while batch := list(itertools.islice(rest, BULK)):
        try:
            quotes += await patience.ask(partial(client.estimate_bulk, batch))
        except RemoteError as error:
            if error.kind is not Kind.NOT_OFFERED:
                raise
            return quotes + await _singly(client, [*batch, *rest], patience)
    return quotes


async def _singly(client: Remote, kinds: Sequence[Question], patience: Patience) -> list[Quote]:
    places = asyncio.Semaphore(_SINGLY_AT_ONCE)

    async def one(kind: Question) -> Quote:
        async with places:
            return await patience.ask(partial(_priced, client, kind))

    return await asyncio.gather(*map(one, kinds))


async def _priced(client: Remote, kind: Question) -> Quote:
    """Return one price; that such a job would be refused is an answer, as in bulk."""
    try:
        return await client.estimate(kind)
    except RemoteError as error:
        if error.kind is not Kind.BAD_JOB:
            raise
        return Quote(reason=str(error))
