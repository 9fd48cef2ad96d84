"""Following a state: which cup has a ball after swaps, what a thing is inside of, what an expression is worth.

Difficulty is the number of swaps, of containers, or of operators. Worked steps give the state after each.
"""

import random
from itertools import pairwise

from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.wording import Wording

CUPS = "ABCDEF"
COLOURS = "red blue green white black brown pink grey".split()
ROOM = "house"
THINGS = "key ring map cup coin book box bag crate chest drawer basket case jar shed barn".split()

HOLDS = Wording("The {colour} [ball|one|marble] [is|lies|stays] [under|below|in] {a}.")
SWAP = Wording("[Round|Turn|Step] {i} : {a} [and|with] {b} [swap|trade|switch].")
WHERE = Wording("[What|Which] cup [has|holds|hides] the {colour} [ball|one|marble] [at the end|now|then]?")
INSIDE = Wording("The {a} [is|lies|sits|rests] [in|inside|within] the {b}.")
OUTERMOST = Wording("[What|Which] [one|thing] is the outermost [of all|now|then] around the {a}?")
WORTH = Wording("What is {e} [worth|now|then]?", "[Tell|Say] what {e} is [worth|now].", "{e} [is|gives] what?")


def swaps(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """Cups with balls swap places round by round; which cup has one of the balls at the end?"""
    cups = rng.sample(CUPS, rng.randint(2, min(5, 2 + difficulty)))
    told = list(zip(cups, rng.sample(COLOURS, len(cups)), strict=True))
    start = [HOLDS.write(rng, split, fresh=i == 0, a=a, colour=c) for i, (a, c) in enumerate(told)]
    rng.shuffle(start)
    pairs = [rng.sample(cups, 2) for _ in range(difficulty)]
    rounds = [SWAP.write(rng, split, i=i, a=a, b=b) for i, (a, b) in enumerate(pairs, 1)]
    story = " ".join([*start, *rounds])
    problems = []
    for cup, colour in rng.sample(told, len(told)):
        trace = [f"{colour} {cup}"]
        for i, (a, b) in enumerate(pairs, 1):
            after = b if cup == a else a if cup == b else cup
            trace.append(f"{i} {a} {b} {cup} = {after}")
            cup = after
        question = WHERE.write(rng, split, colour=colour)
        problems.append(Problem("tracking", difficulty, story, question, "; ".join(trace), cup))
    return tuple(problems)


def nesting(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """Things lie in things, told in shuffled order; what is the outermost one around the first?

    The outermost lies in the house: what ends a chain is looked up like its links. To notice that nothing follows is
    much harder (0.1M parameters, 45 seconds on one core: 62 % right, and 100 % with the house).
    """
    num_others = rng.randint(0, min(3, difficulty))
    things = rng.sample(THINGS, difficulty + 1 + num_others + 1)
    chain, others = [*things[: difficulty + 1], ROOM], [*things[difficulty + 1 :], ROOM]
    pairs = [*pairwise(chain), *pairwise(others)]
    sentences = [INSIDE.write(rng, split, fresh=i == 0, a=a, b=b) for i, (a, b) in enumerate(pairs)]
    rng.shuffle(sentences)
    story = " ".join(sentences)
    inner = rng.sample([*chain[1:-2], *others[:-2]], min(2, len(chain) + len(others) - 5))
    problems = []
    for thing in (chain[0], *inner):
        line = chain[chain.index(thing) :] if thing in chain else others[others.index(thing) :]
        steps = "; ".join(f"{a} in {b}" for a, b in pairwise(line))
        question = OUTERMOST.write(rng, split, a=thing)
        problems.append(Problem("tracking", len(line) - 2, story, question, steps, line[-2]))
    return tuple(problems)


def boolean(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """A bracketed expression with `difficulty` operators, reduced from the inside."""
    trace: list[str] = []

    def grow(num_operators: int) -> tuple[str, bool]:
        if num_operators == 0:
            value = rng.random() < 0.5
            return str(value).lower(), value
        if rng.random() < 0.25:
            text, inner = grow(num_operators - 1)
            trace.append(f"not {str(inner).lower()} = {str(not inner).lower()}")
            return f"( not {text} )", not inner
        num_left = rng.randint(0, num_operators - 1)
        (left_text, left), (right_text, right) = grow(num_left), grow(num_operators - 1 - num_left)
        operator = rng.choice(("and", "or"))
        value = (left and right) if operator == "and" else (left or right)
        trace.append(f"{str(left).lower()} {operator} {str(right).lower()} = {str(value).lower()}")
        return f"( {left_text} {operator} {right_text} )", value

    text, value = grow(difficulty)
    question = WORTH.write(rng, split, fresh=True, e=text)
    return (Problem("tracking", difficulty, "", question, "; ".join(trace), str(value).lower()),)


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """One of the three kinds, equally often."""
    return rng.choice((swaps, nesting, boolean))(rng, difficulty, split)
