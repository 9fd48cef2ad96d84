"""How `embedded/reader` is asked: a text and what is asked. It answers with an option's first word, or with a value.

Letters of options are one look-up more than it has room for: which kind a sentence is of was right in 42 % with
letters after five minutes of training, while what it says was copied without an error. Rows have letters, since they
have no words of their own; a letter stands behind each fact that its row needs, so that the two are neighbours.
"""

from collections.abc import Sequence

from pointsman.core.asking import LETTERS, Question
from pointsman.core.selecting import Row, needs_text


def question_text(wording: str) -> str:
    """As in `days since delivery?`."""
    return f"{wording}?"


def last_word_text(wording: str) -> str:
    """As in `the reason, last word?`."""
    return f"{wording}, last word?"


def told_by(option: str) -> str:
    """The word that stands for an option; nothing for a blank one. Those of one question have to differ in it."""
    return " ".join(option.split(maxsplit=1)[:1])


def rows_text(rows: Sequence[Row]) -> str:
    """As in `p no A; p yes B, q no B`."""
    lettered = zip(LETTERS, rows, strict=False)
    return "; ".join(", ".join(f"{needs_text((need,))} {letter}" for need in row) for letter, row in lettered)


class ReaderForm:
    """Implements `engine.forms.Form`."""

    answer_prefix: str | None = " "
    is_lettered = False

    def choice(self, question: Question, options: Sequence[str], text: str) -> str:
        """A prompt that asks for an option."""
        return f"{text} {question_text(question.wording)}"

    def words(self, options: Sequence[str]) -> list[str]:
        """What stands for each option in an answer."""
        return [told_by(option) for option in options]

    def extraction(self, question: Question, text: str) -> str:
        """A prompt that asks for a value, or `none`."""
        return f"{text} {question_text(question.wording)}"

    def last_word(self, question: Question, text: str) -> str | None:
        """A prompt that asks for the last word of what `extraction` asks for."""
        return f"{text} {last_word_text(question.wording)}"

    def selection(self, rows: Sequence[Row], state: str) -> str:
        """A prompt that asks for the letter of the row that applies; the state comes last."""
        return f"{rows_text(rows)} {state}"
