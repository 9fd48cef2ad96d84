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
from pointsman.embedded.reading.programs import ASK, END, FOR_ME, PLEASE, PROGRAMS
from pointsman.embedded.wording import Wording

SUMMARIES = {name: asked.summary for name, asked in PROGRAMS.items()} | {
    "how_many": "how many things a person has",
    "where": "where something is or what it is worth",
    "assist": "help with a flight",
}
"""What programs of `examples/` do, by the names of their functions."""

NEAR_MISSES = {
    "lcm": Wording(f"{ASK} the least common multiple of {{n}} and {{m}}{FOR_ME}{END}", f"lcm of {{n}} and {{m}}{END}"),
    "product": Wording(f"{ASK} the product of {{xs}}{FOR_ME}{END}", f"{PLEASE} multiply {{xs}}{FOR_ME}{END}"),
    "largest": Wording(f"{ASK} the [largest|greatest] [of|in] {{xs}}{FOR_ME}{END}"),
    "median": Wording(f"{ASK} the median of [the list|] {{xs}}{FOR_ME}{END}"),
    "descending": Wording(f"{PLEASE} sort [the list|the numbers|] {{xs}} from [largest|greatest] to smallest{END}"),
    "root": Wording(f"{ASK} the square root of {{n}}{FOR_ME}{END}", f"square root of {{n}}{END}"),
    "prime": Wording(f"Is {{n}} a prime [number|]{END}", f"{PLEASE} tell me whether {{n}} is [a prime|prime]{END}"),
    "reverse": Wording(f"{PLEASE} put [the list|the numbers|] {{xs}} in reverse{FOR_ME}{END}"),
    "difference": Wording(f"{ASK} the difference [of|between] {{n}} and {{m}}{FOR_ME}{END}"),
    "distinct": Wording(f"How many [different|distinct] [numbers|values] are in [the list|] {{xs}}{END}"),
    "letters": Wording(f"How many letters [has|does] the word {{w}} [have|in it]{END}"),
    "anagram": Wording(f"Is [the word|] {{w}} an anagram of [the word|the text|] {{v}}{END}"),
    "binary": Wording(f"{ASK} {{n}} in [binary|base 2]{FOR_ME}{END}"),
    "average": Wording(f"{ASK} the [average|mean] of [the numbers|the list|] {{xs}}{FOR_ME}{END}"),
    "percent": Wording(f"{ASK} {{n}} [percent|per cent] of {{m}}{FOR_ME}{END}"),
}


def near_miss(rng: random.Random, split: Split) -> str:
    """A request that is much like a covered one, and is none."""
    kinds = [kind for kind in NEAR_MISSES if (fixed_hash("near", kind) % 3 == 0) == (split == "test")]
    n, m, w, v = requests.number(rng), requests.number(rng), requests.word(rng), requests.word(rng)
    text = NEAR_MISSES[rng.choice(kinds)].write(rng, split, n=n, m=m, w=w, v=v, xs=requests.numbers(rng))
    return requests.framed(rng, text)


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
