"""Mixed requests to the embedded models, as an ordinary client would send them, each with its true answer.

    for asked in draw_traffic(2_000, "calibration", seed=0):
        asked.is_right(answer_of(asked.text))

Problems of every family at every difficulty; the same request again; one much like an earlier one, with other numbers
or another question; requests that small programs cover; puzzles for a solver; and several questions in one. The shares
are chosen, and no count of what people send. Wordings are those that no model was trained on.

Every single text belongs to one part (`fit`, `calibration` or `test`) by a fixed hash, so no seed can bring a text of
one part into another. A request of several questions consists of texts of its part.
"""

import json
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from pointsman.embedded.families import FAMILIES, draw_all
from pointsman.embedded.problems import ARROW, DIFFICULTIES, Problem, fixed_hash
from pointsman.embedded.puzzles import PLANNING, Puzzle, draw_grid, draw_plan
from pointsman.embedded.reading.programs import PROGRAMS
from pointsman.embedded.reading.requests import framed, number, numbers, word

__all__ = ["PARTS", "SHARES", "TRUTHS", "Asked", "Kind", "Part", "draw_traffic", "puzzle_answer"]

Part = Literal["fit", "calibration", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
Kind = Literal["problem", "repeated", "near", "program", "puzzle", "several"]

SHARES: Final[Mapping[Kind, float]] = {
    "problem": 0.55,
    "repeated": 0.15,
    "near": 0.10,
    "program": 0.10,
    "puzzle": 0.04,
    "several": 0.06,
}
"""Of requests; chosen. What is repeated may be of any kind."""

_GRID_HOUSES: Final = 3
_PLAN_SIZES: Final = (3, 4)
_COUNTED: Final = (2, 2, 3)
"""Questions in one request."""
_PUZZLES: Final = frozenset(("grid", *PLANNING))
_SHORT: Final = ("facts", "arithmetic")
_ORDER: Final = ("Also, ", "Finally, ")
_LABEL: Final = re.compile(r"^\(?\d+[.)]\s*")
_MOST_DRAWS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    Attributes:
        text: what the user writes.
        kind: how it was drawn.
        task: of a single question the family, program or puzzle; else `several`.
        answers: the only right answer of each question.
    """

    text: str
    kind: Kind
    task: str
    answers: tuple[str, ...]

    def is_right(self, output: str) -> bool:
        """Whether `output` ends in the answer, or has a line for each question that does, in order."""
        if len(self.answers) == 1:
            final = _final(_told_by_name(output) if self.task in _PUZZLES else output)
            return final == _plain(self.answers[0])
        lines = [_LABEL.sub("", line) for line in output.splitlines() if line.strip()]
        return [_final(line) for line in lines] == [_plain(answer) for answer in self.answers]

    def question_is_right(self, number: int, output: str) -> bool:
        """Whether `output` ends in the answer of one of the questions."""
        return _final(output) == _plain(self.answers[number])


def draw_traffic(num_requests: int, part: Part, seed: int) -> list[Asked]:
    """So many requests; the same ones in every process."""
    return _Drawing(part, random.Random(f"traffic/{part}/{seed}")).requests(num_requests)  # noqa: S311


def puzzle_answer(verdict: str, values: Mapping[str, object], objective: int | None) -> str:
    """What is told of a puzzle: the best value, else the values asked for by the names of their variables, else why."""
    if objective is not None:
        return str(objective)
    return ", ".join(str(values[name]) for name in sorted(values)) if values else verdict


@dataclass(frozen=True, slots=True)
class _Seed:
    """A single question, and how to draw one much like it."""

    asked: Asked
    near: Callable[[], tuple[str, str] | None]


class _Drawing:
    """Draws one part."""

    def __init__(self, part: Part, rng: random.Random) -> None:
        self._part, self._rng = part, rng
        self._sent: list[Asked] = []
        self._seeds: list[_Seed] = []

    def requests(self, count: int) -> list[Asked]:
        kinds, weights = list(SHARES), list(SHARES.values())
        while len(self._sent) < count:
            kind = self._rng.choices(kinds, weights)[0]
            found = self._drawn(kind)
            if found is not None:
                self._sent.append(found)
        return self._sent

    def _drawn(self, kind: Kind) -> Asked | None:
        match kind:
            case "repeated":
                again = self._rng.choice(self._sent) if self._sent else None
                return again and Asked(again.text, kind, again.task, again.answers)
            case "near":
                return self._near()
            case "several":
                return self._several()
        seed = self._single(kind)
        self._seeds.append(seed)
        return seed.asked

    def _near(self) -> Asked | None:
        if not self._seeds:
            return None
        for _ in range(_MOST_DRAWS):
            seed = self._rng.choice(self._seeds)
            found = seed.near()
            if found is not None and found[0] != seed.asked.text and self._is_ours(found[0]):
                return Asked(found[0], "near", seed.asked.task, (found[1],))
        return None

    def _several(self) -> Asked:
        count, is_list = self._rng.choice(_COUNTED), self._rng.random() < 0.5
        drawn = [self._single("several").asked for _ in range(count)]
        texts = [one.text for one in drawn]
        if is_list:
            text = "\n".join(f"{place}) {one}" for place, one in enumerate(texts, 1))
        else:
            links = ["", *([_ORDER[0]] * (count - 2)), _ORDER[1]] if count > 2 else ["", _ORDER[0]]
            text = " ".join(link + one for link, one in zip(links, texts, strict=True))
        return Asked(text, "several", "several", tuple(one.answers[0] for one in drawn))

    def _single(self, kind: Kind) -> _Seed:
        makes: dict[str, Callable[[], _Seed]] = {
            "problem": self._problem,
            "program": self._program,
            "puzzle": self._puzzle,
            "several": self._short,
        }
        make = makes[kind]
        for _ in range(_MOST_DRAWS):
            seed = make()
            if self._is_ours(seed.asked.text):
                return seed
        raise AssertionError(f"no text of {self._part} in {_MOST_DRAWS} draws")

    def _is_ours(self, text: str) -> bool:
        return fixed_hash("traffic", text) % len(PARTS) == PARTS.index(self._part)

    def _short(self) -> _Seed:
        """What people put into one request: short questions without a greeting."""
        return self._program(is_framed=False) if self._rng.random() < 0.5 else self._problem(_SHORT)

    def _problem(self, families: Sequence[str] = tuple(FAMILIES)) -> _Seed:
        family, difficulty = self._rng.choice(families), self._rng.choice(DIFFICULTIES)
        about = draw_all(family, difficulty, "test", f"traffic/{self._rng.getrandbits(64)}")
        asked = Asked(about[0].prompt, "problem", family, (about[0].answer,))
        return _Seed(asked, lambda: self._other_question(about))

    def _other_question(self, about: tuple[Problem, ...]) -> tuple[str, str] | None:
        others = [one for one in about[1:] if one.prompt != about[0].prompt]
        if not others:
            return None
        other = self._rng.choice(others)
        return other.prompt, other.answer

    def _program(self, *, is_framed: bool = True) -> _Seed:
        name = self._rng.choice(list(PROGRAMS))
        names = {parameter: f"{{{parameter}}}" for parameter in PROGRAMS[name].parameters}
        template = " ".join(PROGRAMS[name].wording.write(self._rng, "test", fresh=True, **names).split())
        template = framed(self._rng, template) if is_framed else template
        in_brackets = self._rng.random() < 0.3

        def written() -> tuple[str, str]:
            values = _values(self._rng, name)
            told = {key: f"[{value}]" if in_brackets and " " in value else value for key, value in values.items()}
            return template.format(**told), json.dumps(TRUTHS[name](values))

        text, answer = written()
        return _Seed(Asked(text, "program", name, (answer,)), written)

    def _puzzle(self) -> _Seed:
        name, seed = self._rng.choice(("grid", *PLANNING)), self._rng.getrandbits(64)
        size = _GRID_HOUSES if name == "grid" else self._rng.choice(_PLAN_SIZES)

        def drawn(again: int) -> Puzzle:
            told = f"traffic/{seed}/{again}"
            return draw_grid(told, size) if name == "grid" else draw_plan(name, told, size)

        def near() -> tuple[str, str]:
            return _told(drawn(self._rng.getrandbits(32)))

        text, answer = _told(drawn(0))
        return _Seed(Asked(text, "puzzle", name, (answer,)), near)


def _told(puzzle: Puzzle) -> tuple[str, str]:
    return puzzle.text, puzzle_answer(puzzle.verdict, puzzle.answers, puzzle.objective)


def _values(rng: random.Random, name: str) -> dict[str, str]:
    """A value for each parameter of a program, as it stands in a request."""
    is_sorted = name in ("merge_sorted", "binary_search")
    values = {}
    for parameter in PROGRAMS[name].parameters:
        is_list = parameter == "items" or name == "merge_sorted"
        values[parameter] = numbers(rng, in_order=is_sorted) if is_list else number(rng)
        if parameter == "text":
            values[parameter] = word(rng)
    sought = next((key for key in ("value", "target") if key in values), None)
    if sought is not None and rng.random() < 0.5:
        values[sought] = rng.choice(re.findall(r"\d+", values["items"]))
    return values


def _ints(text: str) -> list[int]:
    return [int(found) for found in re.findall(r"\d+", text)]


def _fibonacci(n: int) -> int:
    before, found = 1, 0
    for _ in range(n):
        before, found = found, before + found
    return found


def _places(items: list[int], target: int) -> int:
    """Where bisection meets the target; of equal numbers any may be meant, and this is the one that is told."""
    low, high = 0, len(items) - 1
    while low <= high:
        middle = (low + high) // 2
        if items[middle] == target:
            return middle
        low, high = (middle + 1, high) if items[middle] < target else (low, middle - 1)
    return -1


TRUTHS: Final[Mapping[str, Callable[[Mapping[str, str]], object]]] = {
    "factorial": lambda told: math.factorial(int(told["n"])),
    "fibonacci": lambda told: _fibonacci(int(told["n"])),
    "power": lambda told: int(told["base"]) ** int(told["exponent"]),
    "gcd": lambda told: math.gcd(int(told["a"]), int(told["b"])),
    "merge_sorted": lambda told: sorted(_ints(told["a"]) + _ints(told["b"])),
    "binary_search": lambda told: _places(_ints(told["items"]), int(told["target"])),
    "bubble_sort": lambda told: sorted(_ints(told["items"])),
    "total": lambda told: sum(_ints(told["items"])),
    "count": lambda told: _ints(told["items"]).count(int(told["value"])),
    "is_palindrome": lambda told: told["text"] == told["text"][::-1],
}
"""What each program should answer to parameters as they stand in a request, written down apart from the programs."""


def _told_by_name(output: str) -> str:
    """What `puzzle_answer` would say, of an output of a name and a value on each line."""
    lines = dict(line.split(": ", 1) for line in output.splitlines() if ": " in line)
    if not lines or len(lines) < len(output.splitlines()):
        return output
    return lines["objective"] if "objective" in lines else ", ".join(lines[name] for name in sorted(lines))


def _final(output: str) -> str:
    return _plain(output.rpartition(ARROW)[2])


def _plain(answer: str) -> str:
    """Without white space, which lists are written with and without."""
    return "".join(answer.split())
