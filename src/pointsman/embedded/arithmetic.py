"""Word problems: who has how many, told in shuffled order with sentences that do not matter.

Difficulty is the number of relations between the given number and the asked one. Worked steps start from the question
and look up what it needs until a number is met, then compute back: planning from the given number would have to know
the end before the beginning (a 1.8M model got 27 % right with steps in that order and 65 % with these).
"""

import random
from dataclasses import dataclass

from pointsman.embedded.problems import DIFFICULTIES, Problem, Split
from pointsman.embedded.wording import Wording, draw_names, draw_number

MOST_GIVEN, MOST_CHANGED, MOST_DOUBLED, LARGEST = 60, 9, 20, 99
ITEMS = "apples coins books stamps shells cards marbles pens".split()

_HAS = "[has|owns|holds|keeps]"
GIVEN = Wording(f"{{a}} {_HAS} {{n}} {{item}} [now|today|here|there].")
MORE = Wording(
    f"{{a}} {_HAS} {{n}} [more|extra|further] {{item}} than {{b}}.",
    f"{{a}} {_HAS} {{n}} {{item}} [more|extra] than {{b}}.",
)
FEWER = Wording(
    f"{{a}} {_HAS} {{n}} [fewer|less] {{item}} than {{b}}.",
    f"{{a}} {_HAS} {{n}} {{item}} [fewer|less] than {{b}}.",
)
TWICE = Wording(f"{{a}} {_HAS} [twice|double] the {{item}} of {{b}}.")
"""In all of these as many tokens lie between the two names, and between a name and its number, which has one digit."""

QUESTION = Wording(
    "[How many|What number of] {item} does {a} [have|own|hold|keep]?",
    "[Tell|Say] [how many|what number of] {item} {a} has.",
)


@dataclass(frozen=True, slots=True)
class _Line:
    """One sentence: who it is about, whose number it needs, the plan `name = other op number`, its value."""

    name: str
    before: "_Line | None"
    sentence: str
    plan: str
    worked: str
    value: int


class _Story:
    """Grows lines about new people, each about people before."""

    def __init__(self, rng: random.Random, split: Split, names: list[str]) -> None:
        self._rng, self._split = rng, split
        self._names = iter(names)
        self._item = rng.choice(ITEMS)
        self.lines: list[_Line] = []

    def give(self) -> _Line:
        name, number = next(self._names), draw_number(self._rng, self._split, 2, MOST_GIVEN)
        return self._add(GIVEN, name, None, str(number), "", number, n=number)

    def relate(self, before: _Line) -> _Line:
        """A line about a new person and `before`, whose value stays within 1..LARGEST."""
        name, number = next(self._names), self._rng.randint(2, MOST_CHANGED)
        options = ["more"] * (before.value + number <= LARGEST) + ["fewer"] * (before.value > number)
        options += ["twice"] * (before.value <= MOST_DOUBLED)
        kind = self._rng.choice(options)
        wording, sign, right, value = {
            "more": (MORE, "+", number, before.value + number),
            "fewer": (FEWER, "-", number, before.value - number),
            "twice": (TWICE, "*", 2, 2 * before.value),
        }[kind]
        plan, worked = f"{before.name} {sign} {right}", f"{name} = {before.value} {sign} {right} = {value}"
        return self._add(wording, name, before, plan, worked, value, b=before.name, n=number)

    def _add(
        self, wording: Wording, name: str, before: _Line | None, plan: str, worked: str, value: int, **values: object
    ) -> _Line:
        sentence = wording.write(self._rng, self._split, fresh=not self.lines, a=name, item=self._item, **values)
        line = _Line(name, before, sentence, f"{name} = {plan}", worked, value)
        self.lines.append(line)
        return line

    def ask(self, line: _Line, story: str) -> Problem:
        """How many does the person of `line` have?"""
        chain = [line]
        while chain[-1].before:
            chain.append(chain[-1].before)
        worked = [each.worked for each in reversed(chain[:-1])]
        question = QUESTION.write(self._rng, self._split, a=line.name, item=self._item)
        steps = "; ".join([*(each.plan for each in chain), *worked])
        return Problem("arithmetic", len(worked), story, question, steps, str(line.value))


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """A problem of `difficulty` relations and up to three sentences that it does not need; then others about them."""
    num_distractors = rng.randint(0, min(3, difficulty))
    story = _Story(rng, split, draw_names(rng, split, difficulty + 1 + num_distractors))
    asked = story.give()
    for _ in range(difficulty):
        asked = story.relate(asked)
    for _ in range(num_distractors):
        if rng.random() < 0.3:
            story.give()
        else:
            story.relate(rng.choice(story.lines))
    others = [line for line in story.lines if line.before and line is not asked]
    sentences = [line.sentence for line in story.lines]
    rng.shuffle(sentences)
    told = " ".join(sentences)
    problems = [story.ask(line, told) for line in (asked, *rng.sample(others, min(2, len(others))))]
    return tuple(problem for problem in problems if problem.difficulty in DIFFICULTIES)
