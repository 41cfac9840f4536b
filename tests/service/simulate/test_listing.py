"""The listing in every order, with strangers in it."""

import pytest

from engine.service.simulate.listing_order import order_of
from engine.service.simulate.simulation import ListingOrder


async def _walk(service, limit=7):
    """Return the rows of all pages."""
    rows, cursor = [], ""
    while cursor is not None:
        query = {"paginated": "true", "limit": str(limit)} | ({"cursor": cursor} if cursor else {})
        status, answer = await service.call("GET", "/status", params=query)
        assert status == 200, answer
        assert len(answer["data"]) <= limit
        rows += answer["data"]
        cursor = answer["pagination"]["next_cursor"]
    return rows


@pytest.mark.parametrize("order", ListingOrder)
async def test_the_pages_hold_every_row_once(simulated, order):
    """Own jobs and strangers are each listed once, in the order asked for, and the same again."""
    async with simulated(listing_order=order, old_rows=60) as service:
        own = [await service.submit() for _ in range(25)]
        for process_id in own:
            await service.reached(process_id, "Completed")
        rows = await _walk(service)
        assert await _walk(service, limit=100) == rows
        assert (await service.call("GET", "/status"))[1] == rows
    ids = [row["process_id"] for row in rows]
    assert len(ids) == len({*ids}) == 85
    assert {*own} < {*ids}
    created = [row["creation_time"] for row in rows]
    match order:
        case ListingOrder.NEWEST:
            assert ids[:25] == own[::-1]
            assert created == sorted(created, reverse=True)
        case ListingOrder.OLDEST:
            assert ids[60:] == own
            assert created == sorted(created)
        case ListingOrder.RANDOM:
            places = [ids.index(process_id) for process_id in own]
            assert places not in (sorted(places), sorted(places, reverse=True))
            assert min(places) < 25 < 60 < max(places)


@pytest.mark.parametrize("order", ListingOrder)
async def test_a_walk_sees_what_was_there_throughout(simulated, order):
    """Rows that come and go between two pages neither hide nor repeat another one."""
    async with simulated(listing_order=order, old_rows=10) as service:
        own = [await service.submit() for _ in range(10)]
        for process_id in own:
            await service.reached(process_id, "Completed")
        seen, cursor, going = [], "", own[:4]
        while cursor is not None:
            query = {"paginated": "true", "limit": "5"} | ({"cursor": cursor} if cursor else {})
            answer = (await service.call("GET", "/status", params=query))[1]
            seen += [row["process_id"] for row in answer["data"]]
            cursor = answer["pagination"]["next_cursor"]
            if going:
                await service.submit()
                await service.call("DELETE", f"/status/{going.pop()}")
    assert len(seen) == len({*seen})
    assert {*own[4:]} < {*seen}
    assert sum(process_id.startswith("00000000-") for process_id in seen) == 10


async def test_strangers_can_be_read_and_not_deleted(simulated):
    """A stranger's row is the one of the listing, its output can be fetched, and it stays."""
    async with simulated(old_rows=3) as service:
        row = (await _walk(service))[0]
        process_id = row["process_id"]
        assert (row["status"], await service.row(process_id)) == ("Completed", row)
        got = await service.fetch((await service.link(process_id))["download_url"])
        assert (got.status, len(got.body)) == (200, row["output_bytes"])
        assert (await service.call("DELETE", f"/status/{process_id}"))[0] == 404
        assert (await service.call("DELETE", f"/cancel/{process_id}"))[0] == 409
        assert (await service.call("DELETE", "/status"))[1] == {"deleted_count": 0}
        assert len(await _walk(service)) == 3
        assert (await service.call("GET", f"/status/{process_id[:-1]}9"))[0] == 404


@pytest.mark.parametrize("order", ListingOrder)
def test_places_are_unique_and_short(order):
    """No two rows share a place, and every place fits a cursor."""
    place = order_of(order, 5).place
    places = {place(sequence) for sequence in range(-20_000, 20_000)}
    assert len(places) == 40_000
    assert 0 <= min(places) <= max(places) < 10**15
