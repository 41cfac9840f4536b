"""An ONNX Runtime session as this project wants one: quiet, with as many threads as it is told."""

from collections.abc import Sequence

import onnxruntime

__all__ = ["open_session"]

ERRORS_ONLY = 3  # onnxruntime's scale: 0 verbose .. 4 fatal

onnxruntime.disable_telemetry_events()  # it sends some on Windows


def open_session(model: bytes, *, threads: int, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    """Safe to run from several threads at once."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Pictures come in every size: plans and arenas kept for sizes that never return only hold memory.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=list(providers))
