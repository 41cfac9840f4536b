"""What the user should know about a run, beside its counts: one line a topic, each the newest word on it."""

__all__ = ["Notes"]


class Notes:
    """In the order in which the topics came up."""

    def __init__(self) -> None:
        self._lines: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Notes on {', '.join(self._lines) or 'nothing'}>"

    def tell(self, topic: str, line: str) -> None:
        """Note `line`, in place of what was said on the topic before."""
        self._lines[topic] = line

    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines.values())
