"""A zone that never answers takes the time of whoever named it, and nobody else's. Over a scripted resolver."""

import asyncio
import contextlib
import subprocess
import sys
import textwrap

import pytest

from engine.service.names import Names, SystemResolver


class HangingZone:
    """Answers every name but those under `.hangs`, which take until `let_go`; remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self._is_over = asyncio.Event()

    async def resolve(self, host):
        self.asked.append(host)
        if host.endswith(".hangs"):
            await self._is_over.wait()
            raise OSError("nothing came")
        return ["192.0.2.1"]

    def let_go(self):
        self._is_over.set()


@pytest.fixture
def zone():
    return HangingZone()


async def _settled():
    for _ in range(20):
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def _asking(names, hosts, owner):
    """Have one look-up wait for each of `hosts` while the block runs."""
    tasks = [asyncio.create_task(names.look_up(host, owner)) for host in hosts]
    await _settled()
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_a_zone_that_hangs_holds_the_places_of_one_owner(zone):
    """Hundreds of its names leave every other owner's look-ups alone, and those for nobody in particular."""
    with contextlib.closing(Names(zone, time_limit_s=60)) as names:
        async with _asking(names, [f"h{number}.hangs" for number in range(300)], "hostile"):
            assert len(zone.asked) == 8
            for owner in ("victim", "", None):
                assert await names.look_up("pictures.example", owner) == ["192.0.2.1"]
            assert repr(names) == "<Names: 8 look-ups under way>"


async def test_whoever_gives_up_waiting_gets_no_new_place(zone):
    """A look-up counts until it ends by itself: to ask again and again takes no more threads."""
    with contextlib.closing(Names(zone, time_limit_s=0.01)) as names:
        for number in range(12):
            with pytest.raises(TimeoutError):
                await names.look_up(f"h{number}.hangs", "hostile")
        async with _asking(names, ["more.hangs"], "hostile"):
            pass
        assert len(zone.asked) == 8
        assert await names.look_up("pictures.example", "victim") == ["192.0.2.1"]


async def test_places_come_back(zone):
    """When a zone answers at last, or fails, its owner's next look-ups are made, and nothing is left behind."""
    with contextlib.closing(Names(zone, time_limit_s=60)) as names:
        async with _asking(names, [*(f"h{number}.hangs" for number in range(8)), "pictures.example"], "late") as tasks:
            assert not tasks[-1].done()
            zone.let_go()
            assert await tasks[-1] == ["192.0.2.1"]
            for task in tasks[:-1]:
                with pytest.raises(OSError, match="nothing came"):
                    await task
        assert repr(names) == "<Names: 0 look-ups under way>"


async def test_all_together_are_bounded(zone):
    """However many owners there are, no more look-ups are under way than there may be."""
    with contextlib.closing(Names(zone, time_limit_s=60, at_once=3)) as names:
        async with contextlib.AsyncExitStack() as stack:
            for number in range(9):
                await stack.enter_async_context(_asking(names, [f"h{number}.hangs"], f"k{number}"))
            assert len(zone.asked) == 3


async def test_the_same_name_is_looked_up_once_for_one_owner(zone):
    """A thousand submits with one dead receiver hold one place of their owner's, and nothing of another's."""
    with contextlib.closing(Names(zone, time_limit_s=60)) as names:
        async with _asking(names, ["dead.hangs"] * 1000, "one"), _asking(names, ["dead.hangs"] * 2, "two"):
            assert zone.asked == ["dead.hangs"] * 2
            assert await names.look_up("pictures.example", "one") == ["192.0.2.1"]


async def test_the_system_says_what_a_host_is():
    """By this machine's hosts file or DNS; a name that can't be is an OSError or a ValueError, as `socket` has it."""
    assert {"127.0.0.1", "::1"} >= set(await SystemResolver().resolve("localhost"))
    with pytest.raises((OSError, ValueError)):
        await SystemResolver().resolve("a" * 64 + ".example")


def test_a_look_up_that_hangs_keeps_no_process():
    """A service that is told to stop ends while the system's resolver still waits for a name server."""
    program = textwrap.dedent("""
        import asyncio, socket, threading
        from engine.service.names import Names, SystemResolver

        is_under_way = threading.Event()

        def hang(*_args, **_options):
            is_under_way.set()
            threading.Event().wait()

        socket.getaddrinfo = hang

        async def main():
            names = Names(SystemResolver(), time_limit_s=0.01)
            try:
                await names.look_up("slow.example", "k")
            except TimeoutError:
                print("gave up", is_under_way.is_set())
            names.close()

        asyncio.run(main())
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "gave up True\n", "")
