"""Texts of which one must be written in full, as the tokens that may come next."""

from collections.abc import Callable, Sequence

from pointsman.core import BadRequest

_Node = dict[int, "_Node"]

_END = -1


class ChoiceTree:
    """The choices' tokens, shared from the front.

    Raises:
        BadRequest: `invalid_parameter` where one choice begins another and no end token could tell them apart.
    """

    def __init__(
        self, choices: Sequence[str], encode: Callable[[str], Sequence[int]], eos_tokens: Sequence[int]
    ) -> None:
        self._eos_tokens = tuple(eos_tokens)
        self._root: _Node = {}
        for choice in choices:
            node = self._root
            for token in encode(choice):
                node = node.setdefault(token, {})
            node[_END] = {}
        if not self._eos_tokens and self._has_nested(self._root):
            problem = "one of the choices begins another, and this model has no end token to tell them apart"
            raise BadRequest(problem, code="invalid_parameter", param="choices")

    def allowed(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The ids that may follow `tokens`; none where a choice is complete and nothing can follow."""
        node = self._root
        for token in tokens:
            node = node.get(token, {})
        following = tuple(token for token in node if token != _END)
        return (*following, *self._eos_tokens) if _END in node and following else following

    def _has_nested(self, root: "_Node") -> bool:
        waiting = [root]  # not by recursion: a choice may have more tokens than the interpreter has frames
        while waiting:
            node = waiting.pop()
            if _END in node and len(node) > 1:
                return True
            waiting += node.values()
        return False
