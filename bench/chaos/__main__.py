"""Is an image ever lost, or paid for twice, when engine and service are killed at the worst moments?

Runs real `restore` and `resume` processes against the simulated service with all of its faults at once, kills the
engine by SIGKILL at every named step and at random moments, kills the service too, resumes until the run is done, and
audits it against the service's own ledger. Exit code 1 when anything was lost, duplicated, paid too much or corrupt.

With --sabotage it breaks a promise on purpose, and has to find the damage.
"""

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path

import orjson

from bench.chaos.campaign import Campaign
from bench.chaos.orders import Orders
from bench.chaos.round import RANDOM, SERVICE, Tired
from bench.chaos.sabotage import Sabotage
from bench.chaos.steps import STEPS
from bench.machine import read_machine


def main() -> None:
    arguments = _parser().parse_args()
    orders = Orders(
        jobs=arguments.jobs,
        kills=arguments.kills,
        seed=arguments.seed,
        jobs_a_round=arguments.jobs_a_round,
        at_once=arguments.at_once,
        sabotage=arguments.sabotage,
        is_chained=arguments.chained,
    )
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="face-recovery-chaos-", dir=arguments.folder) as folder:
        campaign = Campaign(orders, Path(folder), tell=lambda text: print(text, file=sys.stderr, flush=True))
        try:
            campaign.run()
        except Tired as tired:
            sys.exit(str(tired))
    _show(campaign, time.monotonic() - began, is_json=arguments.json)
    sys.exit(not campaign.account.is_clean)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200, help="of the engine, at least")
    parser.add_argument("--jobs", type=int, default=2000, help="at least")
    parser.add_argument("--jobs-a-round", type=int, default=500, help="in one run of the engine")
    parser.add_argument("--at-once", type=int, default=2, help="rounds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sabotage", type=Sabotage, choices=list(Sabotage), metavar="|".join(Sabotage))
    parser.add_argument("--chained", action="store_true", help="two stages each: restore, then enhance")
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary folder)")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of text")
    return parser


def _show(campaign: Campaign, seconds: float, *, is_json: bool) -> None:
    account, orders = campaign.account, campaign.orders
    at_steps = {step: campaign.kills[step] for step in STEPS if campaign.kills[step]}
    result = {
        "machine": read_machine().record(),
        "seed": orders.seed,
        "sabotage": orders.sabotage,
        "seconds": round(seconds, 1),
        "kills": campaign.engine_kills,
        "kills_at_random": campaign.kills[RANDOM],
        "kills_at_steps": at_steps,
        "kills_of_the_service": campaign.kills[SERVICE],
        **dataclasses.asdict(account),
    }
    if is_json:
        print(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())
        return
    print(read_machine())
    print(
        f"{account.jobs} jobs, {campaign.engine_kills} kills of the engine ({sum(at_steps.values())} at "
        f"{len(at_steps)} of {len(STEPS)} named steps, {campaign.kills[RANDOM]} at random moments), "
        f"{campaign.kills[SERVICE]} of the service, {seconds:.0f} s"
    )
    if missed := [step for step in STEPS if step not in at_steps]:
        print(f"  no kill fell on {', '.join(missed)}")
    for text in account.others:
        print(f"  {text}")
    print(
        f"lost {account.lost}, duplicated {account.duplicated}, credits too many {account.too_many}, "
        f"corrupt {account.corrupt}; kills {campaign.engine_kills}, seed {orders.seed}"
    )


if __name__ == "__main__":
    main()
