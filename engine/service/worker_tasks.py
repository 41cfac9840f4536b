"""What a worker can do with a picture, by the `task` of a request: restore its faces, or upscale it."""

from collections.abc import Callable
from pathlib import Path

from engine.faces.restoration import Box, Grain, Options, Restored
from engine.journal.line import Record
from engine.service.worker_memory import is_out_of_memory
from engine.service.worker_protocol import ENHANCE_TASK, RESTORE_TASK
from engine.upscale import upscaler
from engine.upscale.upscaler import Enhanced

__all__ = ["Enhance", "OnProgress", "Restore", "Tasks"]

OnProgress = Callable[[int], None]
Restore = Callable[[Path, Path, Options, OnProgress], Restored]
Enhance = Callable[[Path, Path, upscaler.Options, OnProgress], Enhanced]


class Tasks:
    """Both models. The upscaler is loaded by `load_upscaler` when it is first asked for: few services need it."""

    def __init__(self, restore: Restore, load_upscaler: Callable[[], Enhance]) -> None:
        self._restore = restore
        self._load_upscaler = load_upscaler
        self._enhance: Enhance | None = None

    def do(self, request: Record, source: Path, target: Path, on_progress: OnProgress) -> Restored | Enhanced:
        """Do what `request` asks; raises what the model raises, MissingExtra, and ValueError for an unknown task."""
        task = request.get("task", RESTORE_TASK)
        if task == RESTORE_TASK:
            return self._restore(source, target, _restore_options(request["options"]), on_progress)
        if task != ENHANCE_TASK:
            raise ValueError(f"the task {task} is unknown")
        if self._enhance is None:
            self._enhance = self._load_upscaler()
        try:
            return self._enhance(source, target, upscaler.Options(**request["options"]), on_progress)
        except Exception as error:
            if is_out_of_memory(error):
                self._enhance = None  # its network keeps what it had when the memory ran out
            raise


def _restore_options(values: Record) -> Options:
    grain, boxes = values["grain"], values["boxes"]
    return Options(
        strength=values["strength"],
        grain=None if grain is None else Grain(**grain),
        output_width=values["output_width"],
        output_height=values["output_height"],
        output_format=values["output_format"],
        boxes=None if boxes is None else tuple(Box(**box) for box in boxes),
        seed=values["seed"],
    )
