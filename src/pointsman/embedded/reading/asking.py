"""Problems of the reader's families: a text, a question, and the word or the value that is right."""

from pointsman.core.asking import NOTHING
from pointsman.embedded.problems import Problem
from pointsman.embedded.reading.form import question_text, told_by


class Asker:
    """Asks about one text, in the reader's form."""

    def __init__(self, family: str, difficulty: int, text: str) -> None:
        self._family, self._difficulty, self._text = family, difficulty, text

    def choose(self, wording: str, right: str) -> Problem:
        """One of several options."""
        return self._problem(wording, told_by(right))

    def judge(self, wording: str, *, holds: bool) -> Problem:
        """A statement that is right or not."""
        return self._problem(wording, "yes" if holds else "no")

    def extract(self, wording: str, value: object | None) -> Problem:
        """A value that the text states, or None."""
        return self._problem(wording, NOTHING if value is None else str(value))

    def _problem(self, wording: str, answer: str) -> Problem:
        return Problem(self._family, self._difficulty, self._text, question_text(wording), "", answer)
