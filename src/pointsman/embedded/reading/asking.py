"""Problems of the reader's families: a text, a question, and the word or the value that is right."""

from pointsman.core.asking import NOTHING
from pointsman.embedded.problems import Problem
from pointsman.embedded.reading.form import last_word_text, question_text, told_by


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

    def number(self, wording: str, value: object | None) -> Problem:
        """A number that the text states, or None."""
        return self._problem(wording, NOTHING if value is None else str(value))

    def words(self, wording: str, value: str | None) -> tuple[Problem, Problem]:
        """Words of the text, or None; and the last one of them, for who copies them from the first to the last."""
        last = NOTHING if value is None else value.split()[-1]
        question = last_word_text(wording)
        told = Problem(self._family, self._difficulty, self._text, question, "", last)
        return self._problem(wording, NOTHING if value is None else value), told

    def _problem(self, wording: str, answer: str) -> Problem:
        return Problem(self._family, self._difficulty, self._text, question_text(wording), "", answer)
