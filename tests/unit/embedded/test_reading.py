"""The reader's families: answers are found again by reading, tests stay untrained, and the examples ask the same."""

import ast
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest

from pointsman.core.asking import LETTERS, NOTHING
from pointsman.core.selecting import FACTS, MOST_ROWS, Row
from pointsman.embedded import arithmetic, extraction, facts, selection, tracking
from pointsman.embedded.families import READING_FAMILIES, draw_all
from pointsman.embedded.problems import DIFFICULTIES, Problem, fixed_hash
from pointsman.embedded.reading import coverage, messages, programs, sentences
from pointsman.embedded.reading.form import ReaderForm, last_word_text, question_text, rows_text, told_by
from pointsman.embedded.reading.programs import PROGRAMS
from pointsman.embedded.wording import ENDINGS, HELD_OUT_NUMBERS, ONSETS, TOWN_ENDINGS, Wording
from pointsman.program import Table, compile_table
from pointsman.program.pipeline import CompileOptions
from pointsman.program.text import summary_of, wanted_of

EXAMPLES = Path(__file__).parents[3] / "examples"
FILES = {name: name for name in PROGRAMS} | {"is_palindrome": "palindrome"}
FILES |= {"how_many": "word_problem", "where": "whereabouts", "assist": "airline"}

NAME = rf"(?:{'|'.join(ONSETS)})(?:{'|'.join((*ENDINGS, *TOWN_ENDINGS))})\b"
COLOUR = "|".join(tracking.COLOURS)
THING = "|".join((*tracking.THINGS, tracking.ROOM))
LAST_WORD = last_word_text("")


def problems(family: str, split: str, count: int) -> list[Problem]:
    return [
        problem
        for difficulty in DIFFICULTIES
        for index in range(count)
        for problem in draw_all(family, difficulty, split, index)
    ]


# -- solvers: what a person does who reads the text and then the question ---------------------------------------------


def read_rows(story: str) -> list[Row]:
    """The facts that each letter stands behind."""
    rows: dict[str, list[tuple[int, bool]]] = {}
    for name, word, letter in re.findall(r"(\w) (yes|no) (\w)(?=[,;]|$)", story):
        rows.setdefault(letter, []).append((FACTS.index(name), word == "yes"))
    assert "".join(rows) == LETTERS[: len(rows)]
    return [tuple(row) for row in rows.values()]


def solve_routing(story: str, question: str) -> str:
    told = {(FACTS.index(name), word == "yes") for name, word in re.findall(r"(\w) (yes|no)", question.split("; ")[-1])}
    (number,) = (number for number, row in enumerate(read_rows(story)) if told.issuperset(row))
    return LETTERS[number]


TELLS = (
    ("expression is asked for", r"\b(true|false)\b"),
    ("swap of cups", r" : [A-F] (and|with) [A-F] "),
    ("cup is asked for", r"^(What|Which) cup "),
    ("thing is asked for", r"\boutermost\b"),
    ("ball under a cup", r"^The (\w+) \w+ \w+ (under|below|in) [A-F]$"),
    ("inside one another", r"^The \w+ \w+ (in|inside|within) the \w+$"),
    ("question", r"\b(How many|how many|What number|what number)\b"),
    ("twice", r"\b(twice|double)\b"),
    ("more", r"\b(more|extra|further)\b"),
    ("fewer", r"\b(fewer|less)\b"),
    ("count", r"\d"),
)
STATED = {
    sentences.WHO: (NAME, 0),
    sentences.OTHER: (NAME, 1),
    sentences.NUMBER: (r"\d+", 0),
    sentences.COLOUR: (rf"\b(?:{COLOUR})\b", 0),
    sentences.CUP: (r"\b[A-F]\b", 0),
    sentences.FIRST: (r"\b[A-F]\b", 0),
    sentences.SECOND: (r"\b[A-F]\b", 1),
    sentences.INNER: (rf"\b(?:{THING})\b", 0),
    sentences.OUTER: (rf"\b(?:{THING})\b", 1),
    sentences.THING: (rf"\b(?:{THING})\b", 0),
}


def wording_of(question: str) -> str:
    return question.removesuffix("?").removesuffix(LAST_WORD.removesuffix("?"))


def solve_sentences(story: str, question: str) -> str:
    wording = wording_of(question)
    if wording == sentences.TELLS:
        return next(kind for kind, pattern in TELLS if re.search(pattern, story)).split()[0]
    pattern, place = STATED[wording]
    return re.findall(pattern, story)[place]


SLOTS = {
    "xs": r"\[?\d+(?:,? \d+)+\]?",
    "items": r"\[?\d+(?:,? \d+)+\]?",
    "text": "[a-z]+",
    "w": "[a-z]+",
    "v": "[a-z]+",
}


def bare(text: str) -> str:
    """A request without greeting and thanks."""
    return re.fullmatch(r"(?:Hello\. |Hi, |I have a question\. )?(.*?)(?: Thank you\.| Thanks\.)?", text, re.DOTALL)[1]


@cache
def request_patterns() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """By the first word of a request: the program, and what a wording says of its parameters. Of partial ones too."""
    found: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for name, asked in PROGRAMS.items():
        slots = SLOTS | (dict.fromkeys("ab", SLOTS["items"]) if name == "merge_sorted" else {})
        for form in (*asked.wording.forms, *asked.partial):
            words = form.split()
            escaped = re.escape(" ".join(words))
            named = re.sub(r"\\{(\w+)\\}", lambda m, s=slots: rf"(?P<{m[1]}>{s.get(m[1], r'[0-9]+')})", escaped)
            found.setdefault(words[0], []).append((name, re.compile(named)))
    return found


@cache
def read_request(text: str) -> tuple[str, dict[str, str]] | None:
    """The program that is asked for, and what is said of its parameters; None where no known wording fits."""
    request = bare(text)
    found = {
        name: {PROGRAMS[name].parameters[key]: value.strip("[]") for key, value in fit.groupdict().items()}
        for name, pattern in request_patterns().get(request.split(maxsplit=1)[0], ())
        if (fit := pattern.fullmatch(request))
    }
    assert len(found) < 2, text
    return next(iter(found.items()), None)


def solve_requests(story: str, question: str) -> str:
    name, stated = read_request(story) or ("", {})
    if question.startswith("this asks for"):
        return "yes" if question == f"this asks for {PROGRAMS[name].summary}?" else "no"
    value = stated.get(wording_of(question), NOTHING)
    return value.split()[-1] if question.endswith(LAST_WORD) else value


WISHES = {
    "complain": r"\bcomplain\b|\b(crew|staff|service)\b",
    "cancel": r"\bto cancel my\b|\b([Pp]lease|[Kk]indly) cancel\b|\bmoney back\b|\brefund\b",
    "change": r"\b(to|[Pp]lease|[Kk]indly) (change|move|rebook) my\b|\banother day\b|\bdays \w+",
    "something": r"\bluggage\b|\bseat\b|\bmeal\b|\blunch\b|\b(bring|take) (a dog|a cat|a bike|skis)\b",
}
MOVED = r"\bYou (cancelled|moved|delayed)\b|\bwas (cancelled|moved) by\b|\bput me on (a later|another) flight\b"
ILLNESS = r"\b(ill|sick|hospital|died|passed away)\b"


def solve_messages(story: str, question: str) -> str:
    if question == question_text(messages.WISH):
        (wish,) = (wish for wish, pattern in WISHES.items() if re.search(pattern, story))
        return wish
    if question == question_text(messages.DAYS):
        found = re.search(r"(\d+) days (later|after|earlier|before)", story)
        return NOTHING if found is None else f"-{found[1]}" if found[2] in {"earlier", "before"} else found[1]
    pattern = {question_text(messages.MOVED): MOVED, question_text(messages.ILLNESS): ILLNESS}[question]
    return "yes" if re.search(pattern, story) else "no"


def program_of(text: str) -> str | None:
    """The program that covers a text."""
    if found := read_request(text):
        return found[0]
    if re.search(rf"(How many|What number of|Tell how many|Say how many|(Tell|Say) what number of) \w+ .*{NAME}", text):
        return "how_many"
    if re.search(r"\b(true|false)\b|\boutermost\b|\bcup (has|holds|hides)\b", text):
        return "where"
    says_what_slot = re.search(r"(Slot|Field|What is the|Tell the|Say the|Which) ?[\w:]* ?\w+[?.]?$", text)
    if not says_what_slot and any(re.search(pattern, text) for pattern in WISHES.values()):
        return "assist"
    return None


def solve_coverage(story: str, question: str) -> str:
    name = program_of(story)
    return "yes" if name and question == f"this asks for {coverage.SUMMARIES[name]}?" else "no"


SOLVERS: dict[str, Callable[[str, str], str]] = {
    "routing": solve_routing,
    "sentences": solve_sentences,
    "requests": solve_requests,
    "messages": solve_messages,
    "coverage": solve_coverage,
}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("family", READING_FAMILIES)
def test_the_answer_follows_from_the_text(family: str, split: str) -> None:
    for problem in problems(family, split, 60):
        assert SOLVERS[family](problem.story, problem.question) == problem.answer, problem.prompt


@pytest.mark.parametrize("family", READING_FAMILIES)
def test_all_questions_are_about_one_text_and_answered_at_once(family: str) -> None:
    for difficulty in DIFFICULTIES:
        for index in range(30):
            drawn = draw_all(family, difficulty, "train", index)
            assert {(one.family, one.difficulty, one.story, one.steps) for one in drawn} == {
                (family, difficulty, drawn[0].story, "")
            }
            if family not in {"routing", "coverage"}:  # two visits, and two wrong statements, may be alike
                assert len({one.question for one in drawn}) == len(drawn)


@pytest.mark.parametrize("family", READING_FAMILIES)
def test_every_answer_is_met(family: str) -> None:
    drawn = problems(family, "train", 60)
    options = {
        "routing": set(LETTERS[:MOST_ROWS]),
        "sentences": {told_by(kind) for kind, _ in TELLS},
        "messages": {"yes", "no", NOTHING, *WISHES},
    }.get(family, {"yes", "no"})
    assert options <= {problem.answer for problem in drawn}
    if family == "requests":
        assert NOTHING in {problem.answer for problem in drawn}
    for wording in {problem.question for problem in drawn} if family == "coverage" else ():
        assert {problem.answer for problem in drawn if problem.question == wording} == {"yes", "no"}


def test_a_table_has_a_row_more_than_its_difficulty_up_to_the_most_that_are_shown() -> None:
    for difficulty in DIFFICULTIES:
        for index in range(40):
            drawn = draw_all("routing", difficulty, "train", index)
            rows = read_rows(drawn[0].story)
            assert len(rows) == min(MOST_ROWS, difficulty + 1)
            assert rows_text(rows) == drawn[0].story
            for problem in drawn:
                assert ReaderForm().selection(rows, problem.question) == problem.prompt


# -- draws ------------------------------------------------------------------------------------------------------------

DIGEST = """
import zlib
from pointsman.embedded.families import READING_FAMILIES, draw_all
drawn = [draw_all(f, d, s, 5) for f in READING_FAMILIES for d in range(1, 9) for s in ("train", "test")]
print(zlib.crc32(repr(drawn).encode()))
"""


def test_draws_are_the_same_in_every_process() -> None:
    drawn = [draw_all(f, d, s, 5) for f in READING_FAMILIES for d in DIFFICULTIES for s in ("train", "test")]
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, check=True, env=environment)
        assert int(done.stdout) == zlib.crc32(repr(drawn).encode())


@pytest.mark.parametrize("family", READING_FAMILIES)
def test_seeds_draw_different_texts(family: str) -> None:
    # A fifth of the sentences ask for one of eight colours, and there are few tables of two rows.
    drawn = [tuple(one.prompt for one in draw_all(family, 4, "train", index)) for index in range(40)]
    assert len(set(drawn)) > 36


# -- what stays untrained ---------------------------------------------------------------------------------------------

ANY = {
    "e": r"\(.*\)",
    "x": r"(?:the [\w ]+ of )?\w+",
    "state": r"[\w =,]+",
    "condition": r"\w+ [<>=]+ \d+",
    "target": r"(?:set \w+ )?\d+",
    "xs": SLOTS["xs"],
    "items": SLOTS["items"],
}


def wordings_of(module: object) -> Iterable[Wording]:
    for value in vars(module).values():
        for one in value.values() if isinstance(value, dict) else [value]:
            found = getattr(one, "wording", one)
            if isinstance(found, Wording):
                yield found


def patterns(forms: Iterable[str], wildcards: dict[str, str]) -> re.Pattern[str]:
    """Any of the forms as a sentence of its own."""

    def pattern(form: str) -> str:
        escaped = re.escape(" ".join(form.split()) if " " in form else form)
        return re.sub(r"\\{(\w+)\\}", lambda m: wildcards.get(m[1], r"\w+"), escaped)

    return re.compile(rf"(?:^|(?<=[.?\n] )|(?<=\n))(?:{'|'.join(map(pattern, forms))})(?=$|\s)")


def told_in(family: str) -> list[Wording]:
    """The wordings of which one at least is new in every text of the test."""
    modules = {
        "sentences": (arithmetic, tracking),
        "requests": (programs,),
        "messages": (messages,),
        "coverage": (arithmetic, tracking, facts, selection, extraction, messages, programs),
    }
    return [wording for module in modules[family] for wording in wordings_of(module)]


def new_and_known(family: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    wordings = told_in(family)
    assert len(wordings) > 8
    lists = ANY | dict.fromkeys("ab", rf"(?:\w+|{SLOTS['items']})")
    pairs = [(form, form in wording.held_out) for wording in wordings for form in wording.forms]
    if family == "sentences":  # a program hands them to the reader without the full stop
        pairs = [(form.removesuffix("."), is_new) for form, is_new in pairs]
    new, known = ([form for form, is_new in pairs if is_new is wanted] for wanted in (True, False))
    if family == "requests":
        known += [form for asked in PROGRAMS.values() for form in asked.partial]
    return patterns(new, lists), patterns(known, lists)


@pytest.mark.parametrize("family", ["sentences", "requests", "messages"])
def test_new_wordings_are_in_every_text_of_the_test_and_in_no_other(family: str) -> None:
    new, _ = new_and_known(family)
    find = new.search if family == "messages" else new.fullmatch  # a message has several sentences
    for problem in problems(family, "test", 60):
        assert find(bare(problem.story)), problem.story
    for problem in problems(family, "train", 150):
        assert not find(bare(problem.story)), problem.story


@pytest.mark.parametrize("family", ["sentences", "requests"])
def test_training_cannot_make_a_text_of_the_test(family: str) -> None:
    _, known = new_and_known(family)
    for problem in problems(family, "test", 60):
        assert not known.fullmatch(bare(problem.story)), problem.story
    for problem in problems(family, "train", 60):
        assert known.fullmatch(bare(problem.story)), problem.story


NEAR = {kind: patterns(wording.forms, ANY | SLOTS) for kind, wording in coverage.NEAR_MISSES.items()}
NEW_KINDS = {kind for kind in NEAR if fixed_hash("near", kind) % 3 == 0}


def near_kinds(text: str) -> set[str]:
    return {kind for kind, pattern in NEAR.items() if pattern.fullmatch(bare(text))}


def test_whole_kinds_of_near_misses_are_new() -> None:
    assert len(NEW_KINDS) >= 4
    assert len(NEAR.keys() - NEW_KINDS) >= 8
    kinds = {split: [near_kinds(one.story) for one in problems("coverage", split, 100)] for split in ("train", "test")}
    assert set().union(*kinds["test"]) == NEW_KINDS
    assert set().union(*kinds["train"]) == NEAR.keys() - NEW_KINDS


def test_a_near_miss_is_of_one_kind_and_no_covered_request() -> None:
    for split in ("train", "test"):
        for problem in problems("coverage", split, 60):
            kinds = near_kinds(problem.story)
            assert len(kinds) <= 1
            assert not kinds or problem.answer == "no"


def test_what_is_asked_for_in_the_test_is_new() -> None:
    new, _ = new_and_known("coverage")
    for problem in problems("coverage", "test", 80):
        assert new.search(bare(problem.story)) or near_kinds(problem.story) & NEW_KINDS, problem.story
    for problem in problems("coverage", "train", 80):
        assert not near_kinds(problem.story) & NEW_KINDS, problem.story


@pytest.mark.parametrize("family", [family for family in READING_FAMILIES if family != "routing"])
def test_no_text_of_the_test_is_one_of_training(family: str) -> None:
    trained = {problem.story for problem in problems(family, "train", 300)}
    assert not trained & {problem.story for problem in problems(family, "test", 60)}


@pytest.mark.parametrize("family", ["sentences", "messages"])
def test_names_and_numbers_of_the_test_are_not_trained(family: str) -> None:
    def told(split: str) -> tuple[set[str], set[str]]:
        stories = [problem.story for problem in problems(family, split, 120)]
        return set(re.findall(NAME, " ".join(stories))), set(re.findall(r"\d+", " ".join(stories)))

    (trained_names, trained_numbers), (test_names, test_numbers) = told("train"), told("test")
    assert len(test_names - trained_names) > len(test_names) * 0.7
    held_out = set(map(str, HELD_OUT_NUMBERS))
    assert not trained_numbers & held_out
    assert test_numbers & held_out


# -- in step with the examples ----------------------------------------------------------------------------------------

Ask = tuple[str, str, str, tuple[str, ...]]


def asked_by(name: str) -> set[Ask]:
    """What an example asks: how, in what words, for which type, among what options."""
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text())
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    found: set[Ask] = set()
    for call in ast.walk(tree):
        match call:
            case ast.Call(ast.Name("judge"), [ast.Constant(str() as wording), _]):
                found.add(("judge", wording, "bool", ()))
            case ast.Call(ast.Name("choose"), [ast.Constant(str() as wording), options, _]):
                told = constants[options.id] if isinstance(options, ast.Name) else options
                found.add(("choose", wording, "option", ast.literal_eval(told)))
            case ast.Call(ast.Name("extract"), [ast.Name(kind), ast.Constant(str() as wording), _]):
                found.add(("extract", wording, kind, ()))
    return found


def taught(family: str) -> set[tuple[str, str]]:
    """What a family asks, and for which type, as far as that can be told from its answers."""
    drawn = problems(family, "train", 60)
    texts = {wording_of(problem.question) for problem in drawn if problem.question.endswith(LAST_WORD)}
    found = set()
    for wording in {wording_of(problem.question) for problem in drawn}:
        answers = {problem.answer for problem in drawn if problem.question == question_text(wording)} - {NOTHING}
        is_number = all(re.fullmatch(r"-?\d+", answer) for answer in answers)
        kind = "str" if wording in texts else "int" if is_number else "bool" if answers <= {"yes", "no"} else "option"
        found.add((wording, kind))
    return found


ASKED = {"sentences": ("word_problem", "whereabouts"), "messages": ("airline",)}


@pytest.mark.parametrize("family", ASKED)
def test_the_family_asks_what_the_examples_ask(family: str) -> None:
    asked = {one for name in ASKED[family] for one in asked_by(name)}
    assert {(wording, kind) for _, wording, kind, _ in asked} == taught(family)
    assert {how for how, *_ in asked} >= {"choose", "extract"}


def test_the_options_are_those_of_the_examples() -> None:
    def options(name: str) -> dict[str, tuple[str, ...]]:
        return {wording: found for how, wording, _, found in asked_by(name) if how == "choose"}

    assert options("word_problem") == {sentences.TELLS: sentences.ARITHMETIC_KINDS}
    assert options("whereabouts") == {sentences.TELLS: sentences.TRACKING_KINDS}
    assert options("airline") == {messages.WISH: messages.WISHES}


@pytest.mark.parametrize("name", ["word_problem", "whereabouts", "airline"])
def test_options_differ_in_their_first_words(name: str) -> None:
    for how, _, _, options in asked_by(name):
        told = ReaderForm().words(options)
        assert len(set(told)) == len(options)
        assert how != "choose" or len(options) > 3


def test_what_tells_a_kind_apart_is_the_same_word_in_all_examples() -> None:
    told = [told_by(kind) for kind in (*sentences.ARITHMETIC_KINDS, *sentences.TRACKING_KINDS)]
    assert len(set(told)) == len(told)


@cache
def table_of(name: str) -> Table:
    path = EXAMPLES / f"{FILES[name]}.py"
    return compile_table(path.read_text(), path.name, name, CompileOptions(max_examples=3, seconds=1.0)).table


@pytest.mark.parametrize("name", coverage.SUMMARIES)
def test_summaries_are_those_of_the_docstrings(name: str) -> None:
    assert coverage.SUMMARIES[name] == summary_of(table_of(name))


@pytest.mark.parametrize("name", PROGRAMS)
def test_parameters_are_asked_for_in_the_words_and_types_of_the_program(name: str) -> None:
    table, asked = table_of(name), PROGRAMS[name]
    assert asked.summary == summary_of(table)
    assert dict(asked.parameters) == dict(table.parameters)
    readable, others = wanted_of(table)
    assert not others
    types = dict(taught("requests"))
    assert {one.words: {"int": "int", "span": "str"}[one.question.type] for one in readable.values()} == {
        words: types[words] for words in asked.parameters.values()
    }


def test_values_of_a_request_are_those_that_the_program_reads() -> None:
    """A list that the reader copies as it stands becomes the list that the request has."""
    for problem in problems("requests", "test", 40):
        name, stated = read_request(problem.story) or ("", {})
        for one in wanted_of(table_of(name))[0].values():
            value = stated[one.words]
            read = one.read(int(value) if one.question.type == "int" else value, problem.story)
            numbers = [int(number) for number in re.findall(r"\d+", value)]
            assert read in (value, numbers, *numbers)
