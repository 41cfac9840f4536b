"""Who is in a pool: which members are open, which one gets the next job, what a failure of one means for all."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from engine.clock import Clock, sleep_unless
from engine.errors import UsageError
from engine.policy.share import choose
from engine.remote.failures import Kind, RemoteError
from engine.remote.member import Member
from engine.remote.member_id import unqualified

__all__ = ["Note", "Roster"]

T = TypeVar("T")
Note = Callable[[str, str], None]


class Roster:
    """`members` by id, in the order in which they were given. `tell` notes a line on a topic for the user."""

    def __init__(self, members: Sequence[Member], clock: Clock, tell: Note) -> None:
        self.members = {member.id: member for member in members}
        if len(self.members) < len(members):
            raise UsageError("--backend: two members of the pool have the same address and key, leave one out")
        self._clock = clock
        self._tell = tell
        self._moved = asyncio.Event()  # a member's state has

    def moved(self) -> None:
        """Take note that a member may be free for a submit now."""
        self._moved.set()

    def open(self) -> list[Member]:
        """Return those that can be asked, now or once they have rested."""
        return [each for each in self.members.values() if not each.why_closed]

    def first(self) -> Member:
        """Return one for questions that any of them can answer, one that is awake if there is any."""
        return min(self.open() or self.members.values(), key=lambda each: not each.rest.is_awake)

    def takers(self) -> list[Member]:
        """Return those that can be submitted to, now or once they have rested."""
        return [each for each in self.members.values() if each.takes_submits]

    def of(self, process_id: str) -> tuple[Member, str]:
        """Return a job's member and its id there; raises RemoteError of kind GONE when it is of none."""
        member, own_id = unqualified(process_id)
        if member not in self.members:
            raise RemoteError(Kind.GONE, f"process {process_id} is of no member of this pool")
        return self.members[member], own_id

    def choice(self, tried: Sequence[str] = (), refused: Collection[str] = ()) -> Member | None:
        """Return the member that gets the next job, None while all that might rest; any, when none ever may again.

        One that `refused` the picture gets it only where all have; of the others, one that it was `tried` at least.
        """
        now, takers = self._clock.monotonic(), self.takers()
        if not takers:  # one that is open says best why: the run is out of credits
            return next(iter(self.open() or self.members.values()))
        takers = [each for each in takers if each.id not in refused] or takers
        awake = [each for each in takers if each.submit_wait_s(now) <= 0]
        if tried and awake:
            least = min(tried.count(each.id) for each in awake)
            awake = [each for each in awake if tried.count(each.id) == least]
        return awake[choose([(each.load, each.client.pace.wait_s()) for each in awake], now)] if awake else None

    def may_submit(self, member: Member) -> bool:
        """Say whether `member` is still one to submit to, after a wait."""
        if not self.takers():
            return True  # whoever submits is told why it can't
        return member.takes_submits and member.submit_wait_s(self._clock.monotonic()) <= 0

    async def wait_for_move(self) -> None:
        """Return when a rest is over, or a call has told something new of a member."""
        now = self._clock.monotonic()
        waits = (each.submit_wait_s(now) for each in self.takers())
        wait_s = min((wait_s for wait_s in waits if wait_s > 0), default=float("inf"))
        self._moved.clear()
        await sleep_unless(self._moved, self._clock, wait_s)

    def check_takes_submits(self, member: Member) -> None:
        """Raise why `member` takes no submit any more; it may have been closed since its turn was taken."""
        refusal = member.refusal_of_submits()
        if refusal is not None:
            raise self.shared(refusal, member)

    async def ask(self, member: Member, question: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to one call at `member`; an error says whether the others can make up for it."""
        was_open = not member.why_closed
        try:
            return await member.ask(question)
        except RemoteError as error:
            if was_open and member.why_closed:
                self.note_closed(member, error)
            self.shared(error, member)
            raise
        finally:
            self.moved()

    async def submit(self, member: Member, question: Callable[[], Awaitable[T]], refused: Collection[str]) -> T:
        """As `ask`, for a submit whose turn was taken. A picture is refused for good where others can't take it."""
        did_take = member.takes_submits
        is_told = False
        try:
            accepted = await member.hear(question)
            is_told = True
            member.intake.accepted()
            return accepted
        except RemoteError as error:
            is_told = True
            others = [each for each in self.takers() if each is not member]
            member.intake.failed(error, others_accept=any(each.intake.has_accepted for each in others))
            if did_take and not member.takes_submits:
                self.note_closed(member, error)
            self.shared(error, member)
            if error.kind is Kind.BAD_JOB:
                is_elsewhere = any(each.id not in refused for each in others)
                error.elsewhere_helps = is_elsewhere and not member.intake.has_accepted
            raise
        finally:
            if not is_told:
                member.intake.unproven()
            self.moved()

    def note_closed(self, member: Member, error: RemoteError) -> None:
        """Tell the user, as long as there are others; without, the run's own end says it."""
        if self.takers():
            self._tell(f"member {member.id}", f"{member.place} takes nothing more ({error}): the others go on")

    def shared(self, error: RemoteError, member: Member | None = None) -> RemoteError:
        """Return `error`, with what it means for a pool."""
        now = self._clock.monotonic()
        takers = [each for each in self.takers() if each is not member]
        if error.kind in (Kind.KEY_REFUSED, Kind.WRONG_ADDRESS):  # one that takes no submit still has jobs to ask for
            error.elsewhere_helps = any(each is not member for each in self.open())
        elif error.kind is Kind.NO_CREDITS:
            error.elsewhere_helps = bool(takers)
        elif error.kind is Kind.BUSY:
            error.elsewhere_helps = any(each.submit_wait_s(now) <= 0 for each in takers)
        else:
            error.elsewhere_helps = any(each.rest.wait_s(now) <= 0 for each in self.open() if each is not member)
        return error
