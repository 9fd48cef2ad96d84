"""Whether a text asks for a program: requests, stories and messages that programs cover, and others that none does.

What no program covers is of two kinds: the pair's other families, and near misses, which ask for something much like a
program that is there. A third of the near misses is kept for `test`, whole kinds of them. Difficulty is the kind of
text, in no order.
"""

import random

from pointsman.core.asking import asks_for
from pointsman.embedded import arithmetic, extraction, facts, selection, tracking
from pointsman.embedded.problems import Problem, Split, fixed_hash
from pointsman.embedded.reading import messages, requests
from pointsman.embedded.reading.asking import Asker
from pointsman.embedded.wording import Wording

SUMMARIES = {name: asked.summary for name, asked in requests.PROGRAMS.items()} | {
    "how_many": "how many things a person has",
    "where": "where something is or what it is worth",
    "assist": "help with a flight",
}
"""What programs of `examples/` do, by the names of their functions."""

_ASK = "[What is|Find|Give me|Tell me]"

NEAR_MISSES = {
    "lcm": Wording(f"{_ASK} the least common multiple of {{n}} and {{m}}[.|?]"),
    "product": Wording(f"{_ASK} the product of {{xs}}[.|?]"),
    "largest": Wording(f"{_ASK} the [largest|greatest] of {{xs}}[.|?]"),
    "median": Wording(f"{_ASK} the median of {{xs}}[.|?]"),
    "descending": Wording("[Please|Now] sort [the list|the numbers] {xs} from [largest|greatest] to smallest."),
    "root": Wording(f"{_ASK} the square root of {{n}}[.|?]"),
    "prime": Wording("Is {n} a prime [number|or not]?", "Tell me whether {n} is [a prime|prime]."),
    "reverse": Wording("[Please|Now] put [the list|the numbers] {xs} in reverse."),
    "difference": Wording(f"{_ASK} the difference of {{n}} and {{m}}[.|?]"),
    "distinct": Wording(
        "How many [different|distinct] numbers are in {xs}?", f"{_ASK} the distinct numbers in {{xs}}."
    ),
    "letters": Wording("How many letters [has|does] the word {w} [have|in it]?"),
    "anagram": Wording("Is the word {w} an anagram of [the word|the text] {v}[?|, or not?]"),
    "binary": Wording(f"{_ASK} {{n}} in [binary|base 2][.|?]"),
    "average": Wording(f"{_ASK} the [average|mean] of {{xs}}[.|?]"),
    "percent": Wording(f"{_ASK} {{n}} [percent|per cent] of {{m}}[.|?]"),
}


def near_miss(rng: random.Random, split: Split) -> str:
    """A request that is much like a covered one, and is none."""
    kinds = [kind for kind in NEAR_MISSES if (fixed_hash("near", kind) % 3 == 0) == (split == "test")]
    n, m, w, v = requests.number(rng), requests.number(rng), requests.word(rng), requests.word(rng)
    return NEAR_MISSES[rng.choice(kinds)].write(rng, split, n=n, m=m, w=w, v=v, xs=requests.numbers(rng))


def covered(rng: random.Random, split: Split) -> tuple[str, str]:
    """A text, and the program that covers it."""
    name = rng.choice(list(SUMMARIES))
    difficulty = rng.randint(1, 4)
    match name:
        case "how_many":
            return arithmetic.generate(rng, difficulty, split)[0].prompt, name
        case "where":
            return tracking.generate(rng, difficulty, split)[0].prompt, name
        case "assist":
            return messages.message(rng, split, difficulty)[0], name
    return requests.request(rng, split, name)[0], name


def uncovered(rng: random.Random, split: Split) -> str:
    """A text that no program covers."""
    if rng.random() < 0.5:
        return near_miss(rng, split)
    generate_other = rng.choice((facts.generate, selection.generate, extraction.generate))
    return generate_other(rng, rng.randint(1, 3), split)[0].prompt


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """One text with three statements about what it asks for, the right one among them if there is one."""
    text, name = covered(rng, split) if difficulty <= 5 else (uncovered(rng, split), "")
    asked = [*rng.sample([other for other in SUMMARIES if other != name], 2), name or rng.choice(list(SUMMARIES))]
    ask = Asker("coverage", difficulty, text)
    return tuple(ask.judge(asks_for(SUMMARIES[one]), holds=one == name) for one in rng.sample(asked, len(asked)))
