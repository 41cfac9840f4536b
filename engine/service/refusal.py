"""A request that is answered with an error of the contract: a status and one line that says what to do."""

__all__ = ["Refusal"]


class Refusal(Exception):
    """Ends a request. `str(refusal)` is the `message` of the answer; `retry_after_s` becomes its Retry-After."""

    def __init__(self, status: int, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s
