"""Sentences of the stories of `arithmetic` and `tracking`, one at a time: what does it tell, and about whom?

This is all that compiled programs need a model for: they split a story into sentences and compute. Difficulty is the
kind of sentence, in no order.
"""

import random
from collections.abc import Callable, Mapping

from pointsman.embedded import arithmetic, tracking
from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.reading.asking import Asker
from pointsman.embedded.wording import Wording, draw_names, draw_number

ARITHMETIC_KINDS = ("count", "more", "fewer", "twice", "question")
TRACKING_KINDS = ("ball under a cup", "swap of cups", "inside one another", "cup is asked for", "thing is asked for",
                  "expression is asked for")  # fmt: skip
TELLS = "what the sentence tells"
WHO, OTHER, NUMBER = "the person it is about", "the person compared with", "the number"
COLOUR, CUP, FIRST, SECOND = "the colour", "the cup", "the first cup", "the second cup"
INNER, OUTER, THING = "the inner thing", "the outer thing", "the thing"

_COMPARED: Mapping[str, Wording] = {"more": arithmetic.MORE, "fewer": arithmetic.FEWER, "twice": arithmetic.TWICE}


def _asker(difficulty: int, sentence: str) -> Asker:
    return Asker("sentences", difficulty, sentence.removesuffix("."))


def _compared(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    kind = rng.choice(list(_COMPARED))
    who, other = draw_names(rng, split, 2)
    number = rng.randint(2, arithmetic.MOST_CHANGED)
    item = rng.choice(arithmetic.ITEMS)
    ask = _asker(difficulty, _COMPARED[kind].write(rng, split, fresh=True, a=who, b=other, n=number, item=item))
    told = (ask.choose(TELLS, kind), *ask.words(WHO, who), *ask.words(OTHER, other))
    return told if kind == "twice" else (*told, ask.number(NUMBER, number))


def _given(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    who, number = draw_names(rng, split, 1)[0], draw_number(rng, split, 2, arithmetic.MOST_GIVEN)
    item = rng.choice(arithmetic.ITEMS)
    ask = _asker(difficulty, arithmetic.GIVEN.write(rng, split, fresh=True, a=who, n=number, item=item))
    return ask.choose(TELLS, "count"), *ask.words(WHO, who), ask.number(NUMBER, number)


def _how_many(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    who, item = draw_names(rng, split, 1)[0], rng.choice(arithmetic.ITEMS)
    ask = _asker(difficulty, arithmetic.QUESTION.write(rng, split, fresh=True, a=who, item=item))
    return ask.choose(TELLS, "question"), *ask.words(WHO, who)


def _holds(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    cup, colour = rng.choice(tracking.CUPS), rng.choice(tracking.COLOURS)
    ask = _asker(difficulty, tracking.HOLDS.write(rng, split, fresh=True, a=cup, colour=colour))
    return ask.choose(TELLS, TRACKING_KINDS[0]), *ask.words(CUP, cup), *ask.words(COLOUR, colour)


def _swap(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    first, second = rng.sample(tracking.CUPS, 2)
    ask = _asker(difficulty, tracking.SWAP.write(rng, split, fresh=True, i=rng.randint(1, 9), a=first, b=second))
    return ask.choose(TELLS, TRACKING_KINDS[1]), *ask.words(FIRST, first), *ask.words(SECOND, second)


def _inside(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    inner, outer = rng.sample([*tracking.THINGS, tracking.ROOM], 2)
    ask = _asker(difficulty, tracking.INSIDE.write(rng, split, fresh=True, a=inner, b=outer))
    return ask.choose(TELLS, TRACKING_KINDS[2]), *ask.words(INNER, inner), *ask.words(OUTER, outer)


def _where(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    colour = rng.choice(tracking.COLOURS)
    ask = _asker(difficulty, tracking.WHERE.write(rng, split, fresh=True, colour=colour))
    return ask.choose(TELLS, TRACKING_KINDS[3]), *ask.words(COLOUR, colour)


def _outermost(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    if rng.random() < 0.5:
        problem = tracking.boolean(rng, rng.randint(1, 8), split)[0]
        return (_asker(difficulty, problem.question).choose(TELLS, TRACKING_KINDS[5]),)
    thing = rng.choice(tracking.THINGS)
    ask = _asker(difficulty, tracking.OUTERMOST.write(rng, split, fresh=True, a=thing))
    return ask.choose(TELLS, TRACKING_KINDS[4]), *ask.words(THING, thing)


def _question(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    return (_where if rng.random() < 0.4 else _outermost)(rng, difficulty, split)


_BY_DIFFICULTY: tuple[Callable[[random.Random, int, Split], tuple[Problem, ...]], ...] = (
    _given, _compared, _compared, _how_many, _holds, _swap, _inside, _question,
)  # fmt: skip


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """All questions about one sentence."""
    return _BY_DIFFICULTY[difficulty - 1](rng, difficulty, split)
