"""The stages of a run: the remote jobs that each picture goes through, and what they are sent."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.inputs.scan import Sizing
from engine.remote.acceptance import Route

__all__ = ["Stage", "stages_of"]


@dataclass(frozen=True, slots=True)
class Stage:
    """`name` is for people, `form` what every submit to `route` sends beside the picture."""

    name: str
    route: Route
    form: Mapping[str, str]


def stages_of(sizing: Sizing, webhook_url: str = "") -> tuple[Stage, ...]:
    """Return the one stage of a run, or its two; each tells of its jobs' ends at `webhook_url`, if there is one."""
    told = {"webhook_url": webhook_url} if webhook_url else {}
    restore = Stage("restore", Route.RESTORE_GEN, {**sizing.parameters.form(), **told})
    if sizing.then is None:
        return (restore,)
    return restore, Stage("enhance", Route.ENHANCE, {**sizing.then.form(), **told})
