"""Results that the backend keeps for 7 days only."""

from urllib.parse import urlsplit

from tests.pipeline.harness import Bench


async def test_what_expires_next_is_downloaded_first(tmp_path):
    """Of results that wait for a download, the one that the backend accepted first comes home first."""
    bench = Bench(tmp_path, settings={"download_concurrency": 1, "poll_delay_s": 5.0}).pictures(12)
    bench.remote.job_s = 100.0
    old = {}

    def age_the_last(call):
        if call == "submit" or len(bench.remote.jobs) < 12 or old:
            return
        old.update({bench.remote.job(number).process_id: number for number in (7, 11)})
        for days, process_id in enumerate(old, start=1):
            bench.remote.jobs[process_id].accepted_at -= days * 86_400.0

    bench.remote.before = age_the_last
    assert (await bench.restore()).done == 12
    links = [urlsplit(url).path.rpartition("/")[2] for call, url in bench.remote.requests if call == "link"]
    assert [old.get(process_id) for process_id in links[:2]] == [11, 7]
