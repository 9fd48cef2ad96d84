"""Word problems through a reader and compiled programs, beside the large model's worked steps and beside expressions.

The same held-out problems of `arithmetic` and `tracking` for all. What a program cannot answer goes to the large model,
whose bytes and tokens then count too. Three kinds of wording: those of training, held-out ones, and turned ones, which
say the same in an order that no training text has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pointsman.bench.report import Report, mean_figure
from pointsman.core import Cost
from pointsman.core.asking import Answerer
from pointsman.embedded.evaluation import grade
from pointsman.embedded.families import draw
from pointsman.embedded.problems import DIFFICULTIES, Problem, Split
from pointsman.embedded.wording import ENDINGS, ONSETS
from pointsman.engine import LoadedModel
from pointsman.program import Table, answering

__all__ = ["FILES", "add_texts"]

FILES: Final = {"how_many": "word_problem", "where": "whereabouts"}
"""By the program's name, its file in `examples/`."""

_PROGRAMS: Final = {"arithmetic": "how_many", "tracking": "where"}
_NAME: Final = rf"(?:{'|'.join(ONSETS)})(?:{'|'.join(ENDINGS)})\b"

Tick = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class _Answered:
    """One problem: who was right, and what that took."""

    family: str
    large: bool
    ours: bool
    escalated: bool
    expression: bool
    large_bytes: int
    our_bytes: int
    large_tokens: int
    our_tokens: int
    num_replies: int


def add_texts(
    report: Report, tables: Mapping[str, Table], reader: Answerer, large: LoadedModel, num_each: int, tick: Tick
) -> None:
    """Adds accuracy, bytes and tokens over the large model's, on held-out wordings; others as details."""
    kinds: Mapping[str, Sequence[Problem]] = {
        "held-out": _problems("test", report.seed, num_each),
        "known": _problems("train", report.seed, max(1, num_each // 4)),
        "turned": [_turned(problem) for problem in _problems("test", report.seed + 1, max(1, num_each // 4))],
    }
    found = {kind: _answers(problems, tables, reader, large, tick) for kind, problems in kinds.items()}
    main, seed = found["held-out"], report.seed
    report.figures["text_accuracy_minus_large_steps"] = mean_figure(
        [float(one.ours) - float(one.large) for one in main], "share", seed=seed, at_least=0.0
    )
    report.figures["text_bytes_over_large_steps"] = mean_figure(
        _over([one.our_bytes for one in main], [one.large_bytes for one in main]), "ratio", seed=seed, at_most=0.1
    )
    report.figures["tokens_over_steps"] = mean_figure(
        _over([one.our_tokens for one in main], [one.large_tokens for one in main]), "ratio", seed=seed, at_most=0.05
    )
    for kind, answered in found.items():
        for family in _PROGRAMS:
            report.details.append(_told(kind, family, [one for one in answered if one.family == family]))


def _over(ours: Sequence[int], theirs: Sequence[int]) -> list[float]:
    """Ours over the mean of theirs, problem by problem: their mean is the ratio of the means."""
    mean = sum(theirs) / len(theirs)
    return [one / mean for one in ours]


def _told(kind: str, family: str, found: Sequence[_Answered]) -> str:
    def share(right: Sequence[bool]) -> str:
        return f"{sum(right) / len(right):.3f}"

    replies = sum(one.num_replies for one in found) / len(found)
    steps = sum(one.large_tokens for one in found) / len(found)
    ours, escalated = share([one.ours for one in found]), share([one.escalated for one in found])
    return (
        f"{kind} wordings of {family}: large {share([one.large for one in found])}, reader and program {ours} "
        f"({escalated} by the large model), expressions {share([one.expression for one in found])}; "
        f"{replies:.1f} questions a problem for {steps:.0f} tokens of steps (n {len(found)})"
    )


def _problems(split: Split, seed: int, num_each: int) -> list[Problem]:
    return [
        draw(family, difficulty, split, f"text/{seed}/{index}")
        for family in _PROGRAMS
        for difficulty in DIFFICULTIES
        for index in range(num_each)
    ]


def _answers(
    problems: Sequence[Problem], tables: Mapping[str, Table], reader: Answerer, large: LoadedModel, tick: Tick
) -> list[_Answered]:
    graded = {
        id(one.problem): one
        for one in grade(large, problems, "steps", num_rows=1, on_graded=lambda n: tick("texts: large, steps", n))
    }
    found = []
    for problem in problems:
        steps = graded[id(problem)]
        said, cost, num_replies = _ours(tables[_PROGRAMS[problem.family]], problem.prompt, reader)
        escalated = said is None
        traffic = steps.text.traffic
        found.append(
            _Answered(
                problem.family,
                steps.is_right,
                steps.is_right if escalated else said == problem.answer,
                escalated,
                _by_expressions(problem) == problem.answer,
                traffic.moved_bytes,
                cost.moved_bytes + (traffic.moved_bytes if escalated else 0),
                len(steps.text.tokens),
                cost.completion_tokens + (len(steps.text.tokens) if escalated else 0),
                num_replies,
            )
        )
        tick("texts: reader and programs", 1)
    return found


def _ours(table: Table, prompt: str, reader: Answerer) -> tuple[str | None, Cost, int]:
    """What a program says, None where it does not, and what that took."""
    with answering(reader) as asking:
        outcome = table.run(prompt)
    cost = sum((reply.cost for reply in asking.replies.values()), Cost.zero())
    value = outcome.value if outcome.kind == "value" else None
    return None if value is None else str(value), cost, len(asking.replies)


# -- expressions: what a parser does that was written for the known wordings -------------------------------------------


def _by_expressions(problem: Problem) -> str:
    try:
        return {"arithmetic": _how_many, "tracking": _where}[problem.family](problem.prompt)
    except (AttributeError, IndexError, KeyError, TypeError, RecursionError):
        return ""


def _how_many(prompt: str) -> str:
    *sentences, question = re.split(r"(?<=[.?]) ", prompt)
    rules: dict[str, Any] = {}
    for sentence in sentences:
        if found := re.fullmatch(rf"({_NAME}) \w+ (?:twice|double) the \w+ of ({_NAME})\.", sentence):
            rules[found[1]] = (found[2], 2, 0)
        elif found := re.fullmatch(rf"({_NAME}) \w+ (\d+) (\w+) (\w+) than ({_NAME})\.", sentence):
            sign = -1 if {found[3], found[4]} & {"fewer", "less"} else 1
            rules[found[1]] = (found[5], 1, sign * int(found[2]))
        elif found := re.fullmatch(rf"({_NAME}) \w+ (\d+) \w+ \w+\.", sentence):
            rules[found[1]] = (None, 0, int(found[2]))

    def value(name: str) -> int:
        other, factor, more = rules[name]
        return int(more) if other is None else int(factor * value(other) + more)

    asked = re.search(_NAME, question)
    return str(value(asked[0])) if asked else ""


def _where(prompt: str) -> str:
    *sentences, question = re.split(r"(?<=[.?]) ", prompt)
    if "true" in question or "false" in question:
        return _worth(re.findall(r"\b(?:true|false|and|or|not)\b|[()]", question))
    cup_of: dict[str, str] = {}
    around: dict[str, str] = {}
    for sentence in sentences:
        if found := re.fullmatch(r"The (\w+) \w+ \w+ (?:under|below|in) ([A-F])\.", sentence):
            cup_of[found[1]] = found[2]
        elif found := re.fullmatch(r"\w+ \d+ : ([A-F]) \w+ ([A-F]) \w+\.", sentence):
            swap = {found[1]: found[2], found[2]: found[1]}
            cup_of = {colour: swap.get(cup, cup) for colour, cup in cup_of.items()}
        elif found := re.fullmatch(r"The (\w+) \w+ (?:in|inside|within) the (\w+)\.", sentence):
            around[found[1]] = found[2]
    if found := re.search(r"cup \w+ the (\w+)", question):
        return cup_of[found[1]]
    thing = question.rstrip("?.").split()[-1]
    while around[thing] != "house":
        thing = around[thing]
    return thing


def _worth(words: list[str]) -> str:
    text = " ".join(words)
    while text not in {"true", "false"}:
        reduced = re.sub(r"\( not (true|false) \)", lambda m: "false" if m[1] == "true" else "true", text)
        reduced = re.sub(r"\( (true|false) (and|or) (true|false) \)", _reduced, reduced)
        if reduced == text:
            return ""
        text = reduced
    return text


def _reduced(match: re.Match[str]) -> str:
    left, right = match[1] == "true", match[3] == "true"
    return str(left and right if match[2] == "and" else left or right).lower()


# -- turned wordings ---------------------------------------------------------------------------------------------------

_TURNS: Final = (
    (rf"^({_NAME}) (\w+) (\d+) (\w+) (now|today|here|there)\.$", r"\5 \1 \2 \3 \4."),
    (rf"^({_NAME}) (\w+) (\d+ \w+ \w+) than ({_NAME})\.$", r"Than \4 , \1 \2 \3."),
    (rf"^({_NAME}) (\w+) (twice|double) (the \w+) of ({_NAME})\.$", r"Of \4 \1 \2 \3 what \5 has."),
    (r"^The (\w+ \w+) (lies|is|stays) (under|below|in) ([A-F])\.$", r"\3 \4 \2 the \1."),
    (r"^(\w+ \d+) : ([A-F]) (and|with) ([A-F]) (\w+)\.$", r"\2 and \4 \5 in \1."),
    (r"^The (\w+) (is|lies|sits|rests) (in|inside|within) the (\w+)\.$", r"\3 the \4 \2 the \1."),
)


def _turned(problem: Problem) -> Problem:
    """The same problem with its sentences turned round."""
    sentences = problem.story.split(". ")
    told = [sentence if sentence.endswith(".") else f"{sentence}." for sentence in sentences if sentence]
    for pattern, turned in _TURNS:
        told = [re.sub(pattern, turned, sentence) for sentence in told]
    story = " ".join(sentence[:1].upper() + sentence[1:] for sentence in told)
    return Problem(problem.family, problem.difficulty, story, problem.question, problem.steps, problem.answer)
