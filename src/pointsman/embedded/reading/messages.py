"""Messages of passengers to an airline: what do they want, and why?

The four questions are those of `examples/airline.py`. Difficulty is the number of things that are told, up to four, and
above that messages have sentences around them that tell nothing.
"""

import random

from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.reading.asking import Asker
from pointsman.embedded.wording import TOWN_ENDINGS, Wording, draw_names, draw_number

WISH = "what the passenger wants"
WISHES = ("cancel", "change", "complain", "something else")
MOVED = "the airline cancelled or moved the flight"
ILLNESS = "the passenger or a relative is ill or has died"
DAYS = "how many days later the passenger wants to fly"

_WANT = "[I want|I would like|I need|I ask you]"
_FLIGHT = "[flight|trip|booking|ticket]"
_RELATIVE = "[mother|father|wife|husband|son|daughter|sister|brother]"

_SAID = {
    "cancel": Wording(
        f"{_WANT} to cancel my {_FLIGHT}.",
        f"{_WANT} my money back for my {_FLIGHT}.",
        f"[Please|Kindly] cancel my {_FLIGHT}.",
        "I [cannot|will not|can not] fly [at all|any more] and want a refund.",
    ),
    "change": Wording(
        f"{_WANT} to [change|move|rebook] my {_FLIGHT}.",
        f"[Please|Kindly] [change|move|rebook] my {_FLIGHT}.",
        "[Can|May] I [fly|go] on another day?",
    ),
    "complain": Wording(
        f"{_WANT} to complain about my {_FLIGHT}.",
        "The [crew|staff|service] was [rude|awful|terrible].",
        "I am [very|so] [angry|unhappy] with your [crew|staff|service].",
    ),
    "something else": Wording(
        "[Can|May] I [bring|take] [a dog|a cat|a bike|skis]?",
        "[How|When] [can|may] I [choose|book] [a seat|a meal|lunch]?",
        "[What|How much] luggage [can|may] I [bring|take]?",
    ),
}
_MOVED = Wording(
    f"You [cancelled|moved|delayed] my {_FLIGHT}.",
    f"My {_FLIGHT} was [cancelled|moved] by [you|the airline].",
    "[You|The airline] put me on [a later|another] flight.",
)
_ILLNESS = Wording(
    f"My {_RELATIVE} is [ill|sick|in hospital|very ill].",
    f"My {_RELATIVE} has [died|passed away].",
    "I [am|was|have been] [ill|sick|in hospital|very ill].",
)
_DAYS = Wording(
    "I [want|would like|need] to [fly|go|leave] {n} days [later|after that].",
    "[Can|May] I [fly|go|leave] {n} days [later|after that]?",
)
_EARLIER = Wording(
    "I [want|would like|need] to [fly|go|leave] {n} days [earlier|before that].",
    "[Can|May] I [fly|go|leave] {n} days [earlier|before that]?",
)
_NOTHING = Wording(
    "[Hello|Hi|Good day], [I am|my name is|this is] {a}.",
    "[Thank you|Thanks] for [your help|your time].",
    "I [booked|bought] [a flight|a ticket] to {b}.",
    "My [mother|father|wife|husband|son|daughter] [likes|loves] [to fly|your airline].",
    "The [weather|hotel|food] in {b} is [nice|great|fine].",
)


def message(rng: random.Random, split: Split, num_told: int) -> tuple[str, dict[str, str | bool | int | None]]:
    """A message that tells up to `num_told` things, and the answers to the four questions about it."""
    wish = rng.choice(WISHES)
    told = ["wish", *rng.sample(["moved", "illness", "days"], min(num_told - 1, 3))]
    if wish not in {"cancel", "change"} or "days" not in told:
        told = [thing for thing in told if thing != "days"]
    if "days" in told:
        wish = "change"
    number = draw_number(rng, split, 1, 60)
    is_earlier = rng.random() < 0.15
    sentences = [_SAID[wish].write(rng, split, fresh=True)]
    sentences += [_MOVED.write(rng, split)] * ("moved" in told) + [_ILLNESS.write(rng, split)] * ("illness" in told)
    if "days" in told:
        sentences.append((_EARLIER if is_earlier else _DAYS).write(rng, split, n=number))
    for _ in range(max(0, rng.randint(0, 2 + (num_told > 4)))):
        town = draw_names(rng, split, 1, TOWN_ENDINGS)[0]
        sentences.append(_NOTHING.write(rng, split, a=draw_names(rng, split, 1)[0], b=town))
    rng.shuffle(sentences)
    days = None if "days" not in told else -number if is_earlier else number
    return " ".join(sentences), {WISH: wish, MOVED: "moved" in told, ILLNESS: "illness" in told, DAYS: days}


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """All four questions about one message."""
    text, answers = message(rng, split, difficulty)
    ask = Asker("messages", difficulty, text)
    return (
        ask.choose(WISH, str(answers[WISH])),
        ask.judge(MOVED, holds=bool(answers[MOVED])),
        ask.judge(ILLNESS, holds=bool(answers[ILLNESS])),
        ask.number(DAYS, answers[DAYS]),
    )
