"""A message in free words and the name of a slot: answer with the value that the message ends up giving it, or `none`.

Messages change their mind: `on Monday`, and later `no, make it Friday`. Difficulty is the number of sentences that give
or change a slot. Worked steps list what the message says about the slot in order; the last one counts.
"""

import random
from collections.abc import Sequence

from pointsman.embedded.problems import Problem, Split
from pointsman.embedded.wording import TOWN_ENDINGS, Wording, draw_names, draw_number

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
ITEMS = "table room car bike boat tent desk lamp".split()
COLOURS = "red blue green white black brown pink grey".split()
PLACES = "station market harbour museum school castle bridge park".split()

SLOTS = ("name", "day", "hour", "number", "item", "colour", "place", "city")

GIVE = {
    "name": Wording(
        "[I am|My name is|This is] {v}.",
        "[Hello|Hi], [I am|my name is|this is] {v}.",
        "[Please write|Write|Note] the name {v}.",
        "[Please write|Write|Note] {v} as the name.",
    ),
    "day": Wording("[I come|We come|Please book it] [on|by] {v}.", "The day is {v}.", "[I|We] need it [on|by] {v}."),
    "hour": Wording("[I come|We come] [at|by] {v} o'clock.", "[I|We] need it [at|by] {v} o'clock."),
    "number": Wording("[There are|We are|I come with] {v} [people|guests].", "It is for {v} [people|guests]."),
    "item": Wording("[I|We] [want|need|like] a {v}.", "[Please book|Book] [me|us] a {v}."),
    "colour": Wording("[I|We] [want|need|like] it {v}.", "[Please make|Make|Paint|Please paint] it {v}."),
    "place": Wording("[I wait|We wait|Meet me] [at|by] the {v}.", "[I|We] need it [at|by] the {v}."),
    "city": Wording("[I live|We live|I am] in {v}.", "[Please send|Send] it to {v}.", "[I|We] need it in {v}."),
}
CHANGE = Wording(
    "[No|Sorry|Wait], the {slot} [is|must be] {v}.",
    "[No|Sorry|Wait], make the {slot} {v}.",
    "I mean {slot} {v}.",
)
ASK = Wording("[Slot|Field] [:|is] {slot}", "What is the {slot}?", "[Tell|Say] the {slot}.", "Which {slot}?")


def _value(rng: random.Random, split: Split, slot: str) -> str:
    choices = {"day": DAYS, "item": ITEMS, "colour": COLOURS, "place": PLACES}
    if slot in choices:
        return rng.choice(choices[slot])
    if slot == "name":
        return draw_names(rng, split, 1)[0]
    if slot == "city":
        return draw_names(rng, split, 1, TOWN_ENDINGS)[0]
    return str(draw_number(rng, split, 1, 12 if slot == "hour" else 60))


def generate(rng: random.Random, difficulty: int, split: Split) -> tuple[Problem, ...]:
    """`difficulty` sentences over at most five slots; one question in seven is about a slot that is not there."""
    slots = rng.sample(SLOTS, min(difficulty, rng.randint(1, 5)))
    order = [*slots, *(rng.choice(slots) for _ in range(difficulty - len(slots)))]
    rng.shuffle(order)
    sentences: list[str] = []
    said: dict[str, list[str]] = {}
    for slot in order:
        value = _value(rng, split, slot)
        wording = CHANGE if slot in said else GIVE[slot]
        said.setdefault(slot, []).append(value)
        sentences.append(wording.write(rng, split, fresh=not sentences, slot=slot, v=value))
    absent = [slot for slot in SLOTS if slot not in said]
    asked = rng.sample(slots, min(3, len(slots)))
    asked.insert(0 if rng.random() < 1 / 7 else len(asked), rng.choice(absent))
    return tuple(_ask(rng, split, difficulty, " ".join(sentences), slot, said.get(slot, [])) for slot in asked)


def _ask(rng: random.Random, split: Split, difficulty: int, story: str, slot: str, values: Sequence[str]) -> Problem:
    steps = "; ".join(f"{slot} {value}" for value in values) or f"{slot} none"
    answer = values[-1] if values else "none"
    return Problem("extraction", difficulty, story, ASK.write(rng, split, slot=slot), steps, answer)
