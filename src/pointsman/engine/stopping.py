"""Finds stop strings in a text that arrives in pieces, and holds back what may turn out to be the start of one."""

from collections.abc import Sequence


class StopMatcher:
    """Lets text through up to the first stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.has_stopped = False

    def push(self, piece: str) -> str:
        """What is certain to belong to the text now; nothing after a stop string was found."""
        if self.has_stopped:
            return ""
        text = self._held + piece
        found = [index for index in map(text.find, self._stops) if index >= 0]
        if found:
            self.has_stopped, self._held = True, ""
            return text[: min(found)]
        num_held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - num_held :]
        return text[: len(text) - num_held]

    def close(self) -> str:
        """What was held back at the end of the text."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` that are the start of `stop`, but not all of it."""
    longest = min(len(stop) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
