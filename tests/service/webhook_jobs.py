"""Jobs with a receiver, a scripted way out, and a sender that runs for as long as a block."""

import asyncio
import contextlib
import hashlib
import re
from pathlib import Path

import orjson

from engine.service.job_state import Status
from engine.service.jobs import Job
from engine.service.outbox import open_outbox
from engine.service.outside import OutsideError
from engine.service.submission import Submission
from engine.service.webhooks import Webhooks

DOCS = Path(__file__).parents[2] / "docs" / "webhooks.md"
API_KEY = "a-key-for-tests"
RECEIVER = "https://receiver.example/hook?token=secret"
REFUSED = OutsideError("https://receiver.example/...: no such host, or not one that this service may reach")
UNREACHED = OutsideError("https://receiver.example/...: can't be reached", retry_helps=True)


def job_of(process_id="one", *, url=RECEIVER, owner="k1", at=1_760_000_000.0):
    submission = Submission(
        process_id=process_id,
        source_id="s",
        sequence=0,
        filename="a.png",
        input_format="png",
        input_width=1,
        input_height=1,
        output_format="png",
        output_width=1,
        output_height=1,
        options_json="{}",
        price=1,
        created=at,
        eta=at,
        owner=owner,
        webhook_url=url,
    )
    return Job(submission=submission, eta=at, modified=at)


def turn(job, status, *, after_s=1.0):
    """Give `job` its next status, as the store would."""
    job.status = status
    job.modified += after_s
    job.progress = 100 if status is Status.COMPLETED else 0


def links_of(job):
    names = ["input_download_url", "input_head_url"]
    if job.status is Status.COMPLETED:
        names += ["download_url", "head_url"]
    return {name: f"https://service.example/{name}/{job.id}" for name in names}


def secret_of(owner):
    return hashlib.sha256(API_KEY.encode()).digest() if owner in {"k1", "k2"} else None


class ScriptedPoster:
    """Answers each post from the script, its last answer for ever, and remembers what it was given."""

    def __init__(self, clock, *answers):
        self.clock = clock
        self.answers = list(answers) or [200]
        self.posts = []
        self.owners = []

    async def post(self, url, body, headers, *, owner):
        self.owners.append(owner)
        self.posts.append((self.clock.monotonic(), url, orjson.loads(body), dict(headers), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def told(self, name="status"):
        return [said[name] for _, _, said, _, _ in self.posts]

    def times(self):
        return [at for at, *_ in self.posts]


@contextlib.asynccontextmanager
async def sending(folder, poster, clock, jobs, *, links=links_of, find_secret=secret_of):
    """Recover `jobs` and send for as long as the block runs."""
    known = {job.id: job for job in jobs}
    async with open_outbox(folder, known.__contains__) as outbox:
        webhooks = Webhooks(poster, outbox, clock, find=known.get, links=links, secret_of=find_secret)
        webhooks.recover(list(jobs))
        task = asyncio.create_task(webhooks.run())
        try:
            yield webhooks
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def documented_check():
    """Return the `is_genuine` of docs/webhooks.md."""
    (code,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(code, names)  # noqa: S102 - the documentation's own example
    return names["is_genuine"]
