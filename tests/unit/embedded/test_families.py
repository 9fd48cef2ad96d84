"""Every problem's answer is found again by reading its text; what is held out of training stays out."""

import operator
import re
from collections.abc import Callable
from itertools import pairwise

import pytest

from pointsman.core import NotFound
from pointsman.embedded import arithmetic, extraction, facts, selection, tracking
from pointsman.embedded.families import FAMILIES, draw, draw_all
from pointsman.embedded.problems import ARROW, DIFFICULTIES, MODES, Problem
from pointsman.embedded.wording import ENDINGS, HELD_OUT_NUMBERS, ONSETS, TOWN_ENDINGS, Wording

NAME = rf"(?:{'|'.join(ONSETS)})(?:{'|'.join((*ENDINGS, *TOWN_ENDINGS))})\b"
MODULES = {
    "arithmetic": arithmetic,
    "tracking": tracking,
    "facts": facts,
    "selection": selection,
    "extraction": extraction,
}


def solve_arithmetic(prompt: str) -> str:
    *sentences, question = re.split(r"(?<=[.?]) ", prompt)
    rules: dict[str, Callable[[], int]] = {}

    def rule(sentence: str) -> None:
        names, numbers = re.findall(NAME, sentence), re.findall(r"\d+", sentence)
        number = int(numbers[0]) if numbers else 0
        if re.search(r"twice|double", sentence):
            rules[names[0]] = lambda: 2 * rules[names[1]]()
        elif re.search(r"fewer|less", sentence):
            rules[names[0]] = lambda: rules[names[1]]() - number
        elif len(names) == 2:
            rules[names[0]] = lambda: rules[names[1]]() + number
        else:
            rules[names[0]] = lambda: number

    for sentence in sentences:
        rule(sentence)
    return str(rules[re.findall(NAME, question)[0]]())


def solve_tracking(prompt: str) -> str:
    if "true" in prompt or "false" in prompt:
        return str(
            bool(eval(re.search(r"\(.*\)", prompt)[0].replace("true", "True").replace("false", "False")))
        ).lower()
    *sentences, question = re.split(r"(?<=[.?]) ", prompt)
    if " cup " in question:
        cup_of: dict[str, str] = {}
        for sentence in sentences:
            cups = re.findall(r"\b[A-F]\b", sentence)
            if len(cups) == 2:
                cup_of = {c: {cups[0]: cups[1], cups[1]: cups[0]}.get(n, n) for c, n in cup_of.items()}
            else:
                cup_of[re.search("|".join(tracking.COLOURS), sentence)[0]] = cups[0]
        return cup_of[re.search("|".join(tracking.COLOURS), question)[0]]
    inside = dict(re.findall(r"[Tt]he (\w+)", sentence) for sentence in sentences)
    thing = re.search(r"around the (\w+)", question)[1]
    while inside[thing] != tracking.ROOM:
        thing = inside[thing]
    return thing


def solve_facts(prompt: str) -> str:
    words = {
        "home": "town",
        "live": "town",
        "stay": "town",
        "work": "job",
        "mate": "friend",
        "food": "dish",
        "flag": "colour",
        "head": "mayor",
    }
    entity = re.search(NAME, prompt)[0]
    before, after = prompt.lower().split(entity.lower())
    relations = re.findall(r"town|home|job|work|pet|friend|mate|dish|food|colour|flag|mayor|head", before)
    if re.search(r"live|stay", after):
        relations = ["town", *(r for r in relations if not before.startswith("in what town") or r != "town")]
    relations = ["pet", *relations] if "as pet" in after else relations
    for relation in reversed(relations):
        entity = facts.world().facts[entity, words.get(relation, relation)]
    return entity


def solve_selection(prompt: str) -> str:
    first, *rows, _ = prompt.split("\n")
    state = {name: int(value) for name, value in re.findall(r"(\w+) = (\d+)", first)}
    compare = {"=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}
    parsed = [re.fullmatch(r"(\w) [:)] (?:if|when) (\w+) ([<>=]+) (\d+) (?:then|do) set \w+ \d+", row) for row in rows]
    right = [m[1] for m in parsed if compare[m[3]](state[m[2]], int(m[4]))]
    assert len(right) == 1
    return right[0]


def solve_extraction(prompt: str) -> str:
    sentences = re.split(r"(?<=[.?]) ", prompt)
    asked = re.search("|".join(extraction.SLOTS), sentences[-1])[0]
    value = r"(?P<v>[\w]+)"
    forms = [form.replace("{v}", value) for form in extraction.GIVE[asked].forms]
    forms += [form.replace("{v}", value).replace("{slot}", asked) for form in extraction.CHANGE.forms]
    found = [m["v"] for sentence in sentences[:-1] for form in forms if (m := re.fullmatch(form, sentence))]
    kinds = {"number": str.isdigit, "hour": str.isdigit}
    return found[-1] if found and kinds.get(asked, str.isalpha)(found[-1]) else "none"


SOLVERS = {
    "arithmetic": solve_arithmetic,
    "tracking": solve_tracking,
    "facts": solve_facts,
    "selection": solve_selection,
    "extraction": solve_extraction,
}


def problems(family: str, split: str, count: int) -> list[Problem]:
    """Those that are drawn, and the others about their stories."""
    return [
        problem
        for difficulty in DIFFICULTIES
        for index in range(count)
        for problem in draw_all(family, difficulty, split, index)
    ]


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_answer_follows_from_the_text(family: str, split: str) -> None:
    for problem in problems(family, split, 60):
        assert SOLVERS[family](problem.prompt) == problem.answer, problem.prompt


@pytest.mark.parametrize("family", FAMILIES)
def test_the_first_problem_has_the_difficulty_and_all_have_the_story(family: str) -> None:
    for difficulty in DIFFICULTIES:
        for index in range(15):
            first, *others = draw_all(family, difficulty, "train", index)
            assert first == draw(family, difficulty, "train", index)
            assert (first.family, first.difficulty) == (family, difficulty)
            for other in others:
                assert (other.family, other.story) == (family, first.story)
                assert other.question != first.question
                assert other.difficulty in DIFFICULTIES


@pytest.mark.parametrize("family", FAMILIES)
def test_both_responses_are_right_and_others_are_not(family: str) -> None:
    for problem in problems(family, "test", 20):
        for mode in MODES:
            assert problem.is_right(problem.response(mode))
        assert not problem.is_right(problem.steps + ARROW)
        assert not problem.is_right(f"{problem.answer}x")
        assert not problem.is_right("")


@pytest.mark.parametrize("family", FAMILIES)
def test_worked_steps_end_in_the_answer(family: str) -> None:
    for problem in problems(family, "train", 30):
        last = problem.steps.split("; ")[-1].split(" ")
        assert problem.answer in (last[-1], last[0])


def test_arithmetic_is_right_line_by_line() -> None:
    for problem in problems("arithmetic", "train", 30):
        lines = [line.split(" = ") for line in problem.steps.split("; ")]
        worked = [line for line in lines if len(line) == 3]
        assert len(worked) == problem.difficulty
        for _, sum_, value in worked:
            a, sign, b = sum_.split()
            assert int(value) == {"+": operator.add, "-": operator.sub, "*": operator.mul}[sign](int(a), int(b))
            assert 0 <= int(value) <= arithmetic.LARGEST


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "facts"])
def test_difficulty_makes_problems_longer(family: str) -> None:
    lengths = [sum(len(draw(family, d, "train", i).steps) for i in range(80)) for d in DIFFICULTIES]
    if family != "extraction":  # its steps grow with the changes to one slot only
        assert all(a < b for a, b in pairwise(lengths))
    assert lengths[-1] > lengths[0]


def test_facts_are_asked_by_a_zipf_law() -> None:
    weights = facts.training_weights()
    assert len(weights) == len(DIFFICULTIES)
    assert all(a > b for a, b in pairwise(weights))
    first, second = facts.world().people[:2]
    asked = [re.search(NAME, draw("facts", 1, "train", i).prompt)[0] for i in range(4000)]
    expected = 2**facts.ZIPF_EXPONENT
    assert asked.count(first) / asked.count(second) == pytest.approx(expected, rel=0.25)


def held_out_patterns(family: str) -> list[re.Pattern[str]]:
    """Of the sentences that training never shows."""
    wordings = []
    for value in vars(MODULES[family]).values():
        wordings += [value] if isinstance(value, Wording) else []
        wordings += [w for w in value.values() if isinstance(w, Wording)] if isinstance(value, dict) else []
    slots = {
        "e": r"\(.*\)",
        "x": r"(?:the [\w ]+ of )?\w+",
        "state": r"[\w =,]+",
        "condition": r"\w+ [<>=]+ \d+",
        "target": r"set \w+ \d+",
    }

    def pattern(form: str) -> re.Pattern[str]:
        escaped = re.sub(r"\\{(\w+)\\}", lambda m: slots.get(m[1], r"\w+"), re.escape(form))
        return re.compile(rf"(?:^|(?<=[.?\n] )|(?<=\n)){escaped}(?=$|\s)")

    assert len(wordings) > 2
    return [pattern(form) for wording in wordings for form in wording.held_out]


@pytest.mark.parametrize("family", FAMILIES)
def test_held_out_wordings_are_in_every_test_problem_and_in_no_training_problem(family: str) -> None:
    patterns = held_out_patterns(family)
    for problem in problems(family, "test", 40):
        assert any(pattern.search(problem.prompt) for pattern in patterns), problem.prompt
    for problem in problems(family, "train", 150):
        assert not any(pattern.search(problem.prompt) for pattern in patterns), problem.prompt


@pytest.mark.parametrize("family", FAMILIES)
def test_no_test_text_is_a_training_text(family: str) -> None:
    trained = {problem.prompt for problem in problems(family, "train", 700)}
    assert not trained & {problem.prompt for problem in problems(family, "test", 60)}


@pytest.mark.parametrize("family", ["arithmetic", "extraction"])
def test_names_and_numbers_of_the_test_are_not_trained(family: str) -> None:
    def told(split: str) -> tuple[set[str], set[str]]:
        prompts = [problem.prompt for problem in problems(family, split, 120)]
        names = {name for prompt in prompts for name in re.findall(NAME, prompt)}
        return names, {number for prompt in prompts for number in re.findall(r"\d+", prompt)}

    (trained_names, trained_numbers), (test_names, test_numbers) = told("train"), told("test")
    assert len(test_names - trained_names) > len(test_names) * 0.7
    held_out = set(map(str, HELD_OUT_NUMBERS))
    assert not trained_numbers & held_out
    assert test_numbers & held_out


def test_problems_are_the_same_in_every_process() -> None:
    assert draw("arithmetic", 2, "test", 5) == draw("arithmetic", 2, "test", 5)
    assert draw("arithmetic", 2, "test", 5) != draw("arithmetic", 2, "test", 6)
    assert facts.world().people[:3] == ("Suna", "Cyren", "Zeko")


def test_an_unknown_family_lists_those_there_are() -> None:
    with pytest.raises(NotFound, match="arithmetic, tracking, facts"):
        draw("poetry", 1, "train", 0)


def test_a_sentence_with_too_few_wordings_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        Wording("{a} has {b}.")
    with pytest.raises(ValueError, match="word of its own"):
        Wording("[alpha|beta|gamma|delta] {a}.")
