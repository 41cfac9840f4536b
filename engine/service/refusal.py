"""A request that is answered with an error of the contract: a status and one line that says what to do."""

__all__ = ["Refusal"]


class Refusal(Exception):
    """Ends a request. `str(refusal)` is the `message` of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
