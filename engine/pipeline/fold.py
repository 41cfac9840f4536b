"""The journal folded into a tally: ordinary jobs by their bytes, all other lines through `Tally.apply`.

Nearly every job leaves the same three lines: intent, accepted, done. They are told by how they begin, kept as they
stand, and dropped once the third is there; only what it says of credits and faces is counted. A job that does
anything else is taken in line after line, its kept lines first. The result is exactly that of `Tally.apply` for
every line, which a property test holds it to. A line that has proven itself is one that `encode` wrote, so one that
begins as ours is what it looks like.
"""

import re
from pathlib import Path

from engine.job.state import Event, State, step
from engine.job.tally import Tally
from engine.journal.line import DamagedLine, record_of
from engine.journal.replay import Reading, proven
from engine.pipeline.marks import Marks

__all__ = ["fold"]

# The job's number, and which of the three it is by the group that matched last.
_HEAD = re.compile(rb'\{"at":[0-9.]+,"job":([0-9]+),"event":"(?:i()ntent|a()ccepted|d()one)",').match
_IS_INTENT, _IS_ACCEPTED, _IS_DONE = 2, 3, 4
_PRICE = re.compile(rb',"credits":[0-9]+,"faces":(?:[0-9]+|null)').fullmatch

# The ordinary life, as the table has it.
_PLANNED = State.PLANNED.value
_INTENT = step(State.PLANNED, Event.INTENT)
_ACCEPTED = step(_INTENT, Event.ACCEPTED)
_DONE = step(_ACCEPTED, Event.DONE).value

_ROOM = 4096  # jobs that the tally's states are made larger for at a time


def fold(journal: Path, reading: Reading, tally: Tally, marks: Marks) -> None:
    """Take into `tally` and `marks` what stands in `journal` from `reading.sound_bytes` on, and fill in `reading`.

    Raises IllegalStep where an undamaged journal does what the table forbids; the tally is of no use then.
    """
    folding = _Fold(reading, tally, marks)
    for bodies in proven(journal, reading):
        folding.take(bodies)
    folding.finish()


class _Fold:
    """Jobs in the middle of an ordinary life are kept from the tally, which only has room for their states.

    By the digits of their numbers: `_intents` has each one's number and intent, `_acceptances` what came second.
    """

    def __init__(self, reading: Reading, tally: Tally, marks: Marks) -> None:
        self._reading = reading
        self._tally = tally
        self._marks = marks
        self._intents: dict[bytes, tuple[int, bytes]] = {}
        self._acceptances: dict[bytes, bytes] = {}
        self._jobs = tally.planned  # the tally's states may have room for more
        self._prices: dict[bytes, int] = {}  # what done lines say of credits and faces, and how many say so

    def take(self, bodies: list[bytes]) -> None:  # noqa: C901 -- a loop without calls: it runs three times a job
        """Take in lines that have proven themselves."""
        intents, acceptances, prices, states = self._intents, self._acceptances, self._prices, self._tally.states
        half_done = self._tally.open  # a job that is planned and yet open is between its two stages
        last_mark, jobs = None, self._jobs
        for body, head in zip(bodies, map(_HEAD, bodies), strict=True):
            if head is None:
                pass
            elif (kind := head.lastindex) == _IS_DONE:
                if (digits := head[1]) in acceptances:
                    at = body.find(b',"credits":')
                    price = body[at : body.find(b',"attempts":', at)]
                    # A quote inside a text is escaped, so this is a member; no brace before it, so one of the line's.
                    if body.find(b"{", 1, at) < 0 and (price in prices or self._is_price(price)):
                        prices[price] += 1
                        states[intents.pop(digits)[0]] = _DONE
                        del acceptances[digits]
                        continue
            elif kind == _IS_ACCEPTED:
                digits = head[1]
                if digits in intents and digits not in acceptances and b'"adopted":' not in body:
                    acceptances[digits] = body
                    continue
            elif (digits := head[1]) not in intents:
                number = int(digits)
                if number >= jobs:
                    jobs = number + 1
                    if jobs > len(states):
                        states.extend(bytes(jobs - len(states) + _ROOM))
                if states[number] == _PLANNED and number not in half_done and b'"generation":' not in body:
                    intents[digits] = number, body
                    continue
            self._jobs = jobs
            if self._take_apart(body):
                last_mark = body
            jobs = self._jobs
        self._jobs = jobs
        if last_mark is not bodies[-1]:
            self._marks.is_closed = False

    def _is_price(self, price: bytes) -> bool:
        if _PRICE(price) is None:
            return False
        self._prices[price] = 0
        return True

    def _take_apart(self, body: bytes) -> bool:
        """Take in a line that is none of the three, or not their turn; say whether it is a mark."""
        try:
            record = record_of(body)
        except DamagedLine:  # its checksum is right: made by hand
            self._reading.lines -= 1
            self._reading.damaged_lines += 1
            return False
        if "job" not in record:
            self._marks.apply(record)
            return True
        del self._tally.states[self._jobs :]
        self._recall(b"%d" % record["job"])
        self._tally.apply(record, is_damaged=self._reading.damaged_lines > 0)
        self._jobs = self._tally.planned
        return False

    def _recall(self, digits: bytes) -> None:
        """Let the tally know of a job that has been kept from it."""
        if digits in self._intents:
            self._tally.apply(record_of(self._intents.pop(digits)[1]))
        if digits in self._acceptances:
            self._tally.apply(record_of(self._acceptances.pop(digits)))

    def finish(self) -> None:
        """Let the tally know of whatever it does not know yet."""
        del self._tally.states[self._jobs :]
        for digits in list(self._intents):
            self._recall(digits)
        for price, jobs in self._prices.items():
            self._tally.charge(record_of(b"{" + price[1:]), jobs)
        self._tally.recount()
