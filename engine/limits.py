"""How large a picture may be, said once for engine, service and face model."""

__all__ = ["MAX_BYTES", "MAX_PIXELS", "MAX_SIDE_PX"]

MAX_BYTES = 500_000_000  # the contract answers 413 to a larger request
MAX_SIDE_PX = 32_000  # the contract's limit for a side, in and out
# In and out: where the model page's price table ends; what claims far more is a decompression bomb.
MAX_PIXELS = 100_000_000
