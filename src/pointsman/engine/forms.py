"""How questions and rows are put to a model, in tokens."""

from collections.abc import Sequence
from typing import Protocol

from pointsman.core import Unsupported
from pointsman.core.asking import LETTERS, Question, choice_prompt, extraction_prompt
from pointsman.core.selecting import Row, rows_text
from pointsman.engine.load import LoadedModel

__all__ = ["Form", "LetteredForm", "answer_tokens", "prompt_tokens", "selection_tokens"]

_STATE = "\N{OBJECT REPLACEMENT CHARACTER}"
"""Stands for the state where a prompt is cut into what stays and what changes."""


class Form(Protocol):
    """How things are put to a model.

    Attributes:
        answer_prefix: what stands before an answer of the model; None for what models of its kind write.
        is_lettered: options are told by letters; else by words of their own.
    """

    answer_prefix: str | None
    is_lettered: bool

    def choice(self, question: Question, options: Sequence[str], text: str) -> str:
        """A prompt that asks for an option."""
        ...

    def words(self, options: Sequence[str]) -> Sequence[str]:
        """What stands for each option in an answer; a single token of the model."""
        ...

    def extraction(self, question: Question, text: str) -> str:
        """A prompt that asks for a value, or `none`."""
        ...

    def last_word(self, question: Question, text: str) -> str | None:
        """A prompt that asks for the last word of what `extraction` asks for; None where values are written."""
        ...

    def selection(self, rows: Sequence[Row], state: str) -> str:
        """A prompt that asks for the letter of the row that applies; the state comes last."""
        ...


class LetteredForm:
    """For models that follow instructions."""

    answer_prefix: str | None = None
    is_lettered = True

    def choice(self, question: Question, options: Sequence[str], text: str) -> str:
        """See `Form`."""
        return choice_prompt(question, options, text)

    def words(self, options: Sequence[str]) -> Sequence[str]:
        """See `Form`."""
        return LETTERS[: len(options)]

    def extraction(self, question: Question, text: str) -> str:
        """See `Form`."""
        return extraction_prompt(question, text)

    def last_word(self, question: Question, text: str) -> str | None:
        """See `Form`."""
        return None

    def selection(self, rows: Sequence[Row], state: str) -> str:
        """See `Form`."""
        asked = "Exactly one of these rows has all that it needs. Answer with its letter only."
        return f"{asked}\n{rows_text(rows)}\n{state}"


def prompt_tokens(model: LoadedModel, content: str) -> list[int]:
    """What a user writes, as the model expects it before its answer."""
    tokenizer = model.tokenizer
    if tokenizer.can_chat:
        return tokenizer.encode(_chat(model, content), special=False)
    return tokenizer.encode(f"{content}\nAnswer:", special=True)


def _chat(model: LoadedModel, content: str) -> str:
    return model.tokenizer.render_chat([{"role": "user", "content": content}], add_generation_prompt=True)


def selection_tokens(model: LoadedModel, form: Form, rows: Sequence[Row]) -> tuple[list[int], str, str]:
    """The tokens before a state, and the text just before it and after it, which are encoded with it."""
    content = form.selection(rows, _STATE)
    if model.tokenizer.can_chat:
        before, after = _chat(model, content).split(_STATE)
    else:
        before, after = content.replace(_STATE, ""), "\nAnswer:"
    kept = before.rstrip()
    head = model.tokenizer.encode(kept, special=not model.tokenizer.can_chat)
    return head, before[len(kept) :], after


def answer_tokens(model: LoadedModel, form: Form, words: Sequence[str]) -> list[int]:
    """The tokens of words, as they follow a prompt.

    Raises:
        Unsupported: `no_letters` where they are no single tokens, or not different ones.
    """
    prefix = form.answer_prefix
    if prefix is None:
        prefix = "" if model.tokenizer.can_chat else " "
    tokens = [model.tokenizer.encode_plain(prefix + word) for word in words]
    are_single = all(len(found) == 1 and word.strip() for word, found in zip(words, tokens, strict=True))
    if not are_single or len({found[0] for found in tokens}) < len(words):
        problem = f"{model.name}: {', '.join(words)} are not single tokens of its own; choices need that"
        raise Unsupported(problem, code="no_letters")
    return [found[0] for found in tokens]
