"""Runs the real pipeline, journal and files included, over a remote in memory and a clock that needs no waiting."""

import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from engine.inputs.folder import Globs
from engine.inputs.scan import Sizing
from engine.job.enhance import Enhance
from engine.job.parameters import FaceRecovery
from engine.job.spec import JobSpec
from engine.journal.replay import read
from engine.pipeline import opening
from engine.pipeline.closing import Closing
from engine.pipeline.flight import Flight
from engine.pipeline.opening import Opened
from engine.pipeline.order import Order
from engine.pipeline.run import View, run
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.summary import Summary
from engine.remote.endpoint import Endpoint
from engine.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.remote import BASE, KEY, FakeRemote

SIZE = (24, 32)


def picture(size: tuple[int, int] = SIZE, color: tuple[int, int, int] = (200, 120, 90)) -> bytes:
    """Return the bytes of a plain picture."""
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, "JPEG")
    return data.getvalue()


def noise(size: tuple[int, int], seed: int = 7) -> bytes:
    """Return the bytes of a PNG that does not compress, so that it is large."""
    data = io.BytesIO()
    Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3)).save(
        data, "PNG", compress_level=0
    )
    return data.getvalue()


def flight(number: int, *, now: float = 0.0, eta_s: float = 20.0) -> Flight:
    """Return a flight accepted at `now` (Unix seconds) as process p<number>."""
    spec = JobSpec(number=number, source=f"/in/{number}.jpg", output=f"{number}.jpg", credits=1)
    return Flight(spec=spec, process_id=f"p{number}", accepted_at=now, eta=now + eta_s)


@dataclass
class Bench:
    """One output folder and one remote; each `restore` or `resume` is like a process of its own."""

    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    settings: dict[str, Any] = field(default_factory=dict)
    parameters: FaceRecovery = field(default_factory=FaceRecovery)
    then: Enhance | None = None
    scale: float | None = None
    key: str = KEY
    is_own: bool = False
    has_account: bool = False
    base: str = BASE
    closing: Closing = field(default_factory=Closing)
    on_start: Callable[[View], None] = lambda _view: None

    def __post_init__(self) -> None:
        self.remote = FakeRemote(self.clock, result=picture(), size=SIZE)
        self.inputs = self.folder / "in"
        self.out = self.folder / "out"
        self.run_folder = RunFolder.beside(self.out, None)

    def pictures(self, count: int) -> "Bench":
        self.inputs.mkdir(exist_ok=True)
        for number in range(count):
            (self.inputs / f"p{number:03d}.jpg").write_bytes(picture(color=(number % 256, 100 + number // 256, 100)))
        return self

    def addresses(self, *urls: str) -> "Bench":
        """Have the inputs be a list of pictures on the web."""
        self.inputs = self.folder / "list.txt"
        self.inputs.write_text("".join(f"{url}\n" for url in urls))
        self.remote.web = dict.fromkeys(urls, picture())
        return self

    def order(self) -> Order:
        return Order(
            run_id="0123456789",
            inputs=(str(self.inputs),),
            out=self.out,
            globs=Globs(),
            sizing=Sizing(self.parameters, self.scale, self.then),
            settings=Settings.model_validate({"backend": BASE, "sync": False, **self.settings}),
        )

    async def restore(self) -> Summary:
        with opening.begin(self.order(), self.run_folder) as opened:
            return await self.carry_out(opened)

    async def resume(self, **changes: Any) -> Summary:
        self.closing = Closing()
        with opening.resume(self.run_folder, changes) as opened:
            return await self.carry_out(opened)

    async def carry_out(self, opened: Opened) -> Summary:
        await self.clock.sleep(0)  # from here on it knows which threads work
        endpoint = Endpoint(
            name="fake",
            base_url=self.base,
            key=self.key,
            is_own=self.is_own,
            has_account=self.has_account,
            settle_s=10.0,
        )
        return await run(
            opened,
            endpoint,
            transport=self.remote,
            clock=self.clock,
            draw=random.Random(1).random,
            closing=self.closing,
            on_start=self.on_start,
        )

    def events(self, job: int | None = None) -> list[str]:
        records = read(self.run_folder.journal)
        return [record["event"] for record in records if job is None or record.get("job") == job]

    def results(self) -> list[dict[str, Any]]:
        return list(read(self.run_folder.results))

    def outputs(self) -> list[str]:
        return sorted(path.name for path in self.out.iterdir() if path.is_file())
