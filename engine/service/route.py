"""The submit routes of the contract, and which of them are served here. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.job.enhance import Enhance, enhanced_size
from engine.job.parameter_set import ParameterSet
from engine.job.parameters import FaceRecovery
from engine.limits import output_size
from engine.service.submission import ENHANCE, RESTORE

__all__ = ["SERVED", "UNSERVED", "Route", "size_of"]

# The contract's other submit routes: same envelope, models that are not here.
UNSERVED = ("enhance-gen", "sharpen", "sharpen-gen", "denoise", "lighting", "matting", "tool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One submit route that is served, `/{name}/async`, with its one model."""

    name: str
    category: str  # as status rows and estimates call it
    settings: type[ParameterSet]

    @property
    def model(self) -> str:
        return self.settings.model

    def parse(self, values: Mapping[str, Any]) -> ParameterSet:
        """Return the settings among `values`, the others being ignored; raises UsageError."""
        known = self.settings.model_fields
        return self.settings.parse({name: value for name, value in values.items() if name in known})


SERVED = {
    route.name: route
    for route in (
        Route(name=RESTORE, category="Restore", settings=FaceRecovery),
        Route(name=ENHANCE, category="Enhance", settings=Enhance),
    )
}


def size_of(settings: ParameterSet, width: int, height: int) -> tuple[int, int]:
    """Return (width, height) in pixels of what `settings` make of a picture of `width` x `height`."""
    if isinstance(settings, Enhance):
        return enhanced_size(width, height, settings)
    return output_size(width, height, settings.output_width, settings.output_height)
