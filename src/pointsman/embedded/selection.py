"""A state and lettered options: answer with the letter of the one that applies.

This is what a compiled table asks of a small model: a rendered state, one row an option, exactly one of them right.
Rows keep to a fixed form with short text and values that are already computed, so that nothing is left but to find the
row whose condition holds. Difficulty is the number of options less one. Worked steps judge the options in turn and stop
at the one that holds.
"""

import random
from dataclasses import dataclass

from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.wording import Wording, draw_number

LETTERS = "ABCDEFGHI"
VARIABLES = "n m x y lo hi acc key count left".split()
SMALLEST, LARGEST = 10, 99

STATE = Wording("[State|Now|At present] [:|is] {state}.", "[The state|It] is {state}.", "With {state} [:|now]")
OPTION = Wording("{letter} [:|)] [if|when] {condition} [then|do] {target}")
QUESTION = Wording("Which [option|row|one] [applies|holds]?", "[Tell|Say] the [option|row|one] that [applies|holds].")


@dataclass(frozen=True, slots=True)
class _Option:
    """A condition on one variable, what it compares when the state is put in, and whether it holds."""

    condition: str
    worked: str
    holds: bool


def _compare(rng: random.Random, split: Split, name: str, value: int, *, holds: bool) -> _Option:
    """A comparison of `name`, which is `value`, that holds or does not, with a number near enough to matter."""
    while True:
        operator = rng.choice(("=", "<", ">", "<=", ">="))
        number = value if rng.random() < (0.5 if holds else 0.1) else draw_number(rng, split, SMALLEST, LARGEST)
        truth = {
            "=": value == number,
            "<": value < number,
            ">": value > number,
            "<=": value <= number,
            ">=": value >= number,
        }[operator]
        if truth == holds:
            word = "yes" if holds else "no"
            return _Option(f"{name} {operator} {number}", f"{name} {value} {operator} {number} {word}", holds)


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """`difficulty + 1` options about up to four variables."""
    names = rng.sample(VARIABLES, rng.randint(1, min(4, 1 + difficulty)))
    state = {name: draw_number(rng, split, SMALLEST, LARGEST) for name in names}
    right = rng.randrange(difficulty + 1)
    rows, trace = [], []
    for index in range(difficulty + 1):
        name = rng.choice(names)
        option = _compare(rng, split, name, state[name], holds=index == right)
        target = f"set {rng.choice(names)} {draw_number(rng, split, SMALLEST, LARGEST)}"
        rows.append(OPTION.write(rng, split, letter=LETTERS[index], condition=option.condition, target=target))
        if index <= right:
            trace.append(f"{LETTERS[index]} {option.worked}")
    shown = ", ".join(f"{name} = {value}" for name, value in state.items())
    story = "\n".join([STATE.write(rng, split, fresh=True, state=shown), *rows, ""])
    question = QUESTION.write(rng, split)
    return (Problem("selection", difficulty, story, question, "; ".join(trace), LETTERS[right]),)
