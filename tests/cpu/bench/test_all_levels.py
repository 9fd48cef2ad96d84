"""All levels over mixed traffic: tables that resume, levels that are off and stay off, and bytes that add up."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.bench import arms as arms_module
from pointsman.bench.all_levels import Configuration, configurations, measure
from pointsman.bench.arms import REFERENCE, Answered, collect, embedded_arms, questions_of
from pointsman.bench.certified_levels import Candidate, Known, allowed_arms, arms_of, candidates, certified
from pointsman.bench.levels import LEVELS, TRACKS, Part, level_of, replay, walk
from pointsman.bench.tracks import Found, Said, said_of, solved
from pointsman.core import BadRequest, Cost
from pointsman.embedded.traffic import Asked, draw_traffic
from pointsman.query.certifying import Setting
from pointsman.query.forecasting import Forecasts
from pointsman.query.outcomes import Outcomes, TableArm
from pointsman.query.parts import split
from pointsman.query.promise import Promise

NAMES = (
    "embedded/large?budget=0.6",
    REFERENCE,
    "embedded/pair?mode=direct&risk=0.005",
    "embedded/pair?risk=0.005",
    "embedded/small?mode=direct",
)
BYTES = (60.0, 100.0, 10.0, 40.0, 5.0)
REF = NAMES.index(REFERENCE)
ALL = frozenset(LEVELS)


def fake(name: str) -> arms_module.Arm:
    def answer(texts: Sequence[str]) -> list[Answered]:
        return [Answered(f" steps => {name} {len(text)}", Cost(len(text), 2, 0, 7, 0.1)) for text in texts]

    return answer


@pytest.fixture(scope="module")
def traffic() -> list[Asked]:
    return draw_traffic(120, "calibration", 1)


@pytest.fixture(scope="module")
def part(traffic: list[Asked]) -> Part:
    """Arms that are right on known shares of the texts, programs and a solver that know their own."""
    questions = {one.text: one for one in questions_of(traffic)}
    answers = {asked.text: "\n".join(asked.answers) for asked in traffic}
    for asked in traffic:
        texts = split(asked.text).texts
        if len(texts) == len(asked.answers) > 1:
            answers.update(zip(texts, asked.answers, strict=True))
    texts = list(questions)
    is_right = np.array([[number % 10 != arm or arm == REF for arm in range(5)] for number in range(len(texts))])
    nan = np.full(is_right.shape, np.nan)
    outcomes = Outcomes(
        ids=tuple(texts),
        texts=tuple(texts),
        tasks=tuple(questions[text].task for text in texts),
        arms=tuple(TableArm(name, name) for name in NAMES),
        right=is_right.astype(float),
        nano_usd=np.tile(np.array(BYTES), (len(texts), 1)),
        prompt_tokens=nan,
        completion_tokens=nan,
        answers=np.zeros(is_right.shape, dtype=np.int64),
        agreement=nan,
    )
    finals = [
        [answers.get(text, "?") if right else "wrong" for right in row]
        for text, row in zip(texts, is_right, strict=True)
    ]
    programs = {"factorial", "gcd", "total", "power"}
    said = {
        text: Said(Found(answers[text] if questions[text].task in programs else None, 3), Found(None, 0))
        for text in texts
    }
    for text in texts:
        if questions[text].task in ("knapsack", "schedule", "grid"):
            said[text] = replace(said[text], solver=solved(text))
    return Part(traffic, questions, outcomes, finals, {text: place for place, text in enumerate(texts)}, said)


@pytest.fixture(scope="module")
def known(part: Part) -> Known:
    right = np.clip(part.outcomes.right, 0.05, 0.95)
    return Known(part, Forecasts(right, part.outcomes.nano_usd, np.zeros(len(right))))


def every(part: Part, arm: int) -> np.ndarray:
    return np.full(len(part.outcomes), arm, dtype=np.int64)


# -- the table of the arms ---------------------------------------------------------------------------------------------


def test_votes_are_those_of_the_server_and_are_paid_as_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {0: ["4", "5"], 1: [" => 4", "6"], 2: ["7", "5"]}

    def sampled(model: object, mode: str, write: Any, texts: Sequence[str]) -> list[Answered]:
        return [Answered(said[write.args[1]][place], Cost(3, 1, 0, 10, 0.1)) for place, _ in enumerate(texts)]

    monkeypatch.setattr(arms_module, "_answered", sampled)
    questions = questions_of(draw_traffic(30, "test", 0))[:2]
    collect(tmp_path / "t.jsonl", questions, {"m?n=3": partial(arms_module._voted, None)}, "test-0")
    found = [json.loads(line)["outcomes"]["m?n=3"] for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [(one["ans"], one["moved_bytes"], one["agreement"]) for one in found] == [
        ("4", 20, 1.0),
        ("5", 30, pytest.approx(2 / 3)),
    ]


def test_a_table_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arms_module, "_CHUNK", 8)
    questions = questions_of(draw_traffic(30, "test", 0))
    arms = {name: fake(name) for name in NAMES[:2]}
    whole, resumed = tmp_path / "whole.jsonl", tmp_path / "resumed.jsonl"
    told: list[int] = []
    collect(whole, questions, arms, "test-0", told.append)
    assert sum(told) == len(questions) == len(whole.read_text().splitlines())

    calls = 0

    def breaks(texts: Sequence[str]) -> list[Answered]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt
        return arms[NAMES[0]](texts)

    with pytest.raises(KeyboardInterrupt):
        collect(resumed, questions, {**arms, NAMES[0]: breaks}, "test-0")
    assert len(resumed.read_text().splitlines()) == 16
    resumed.write_bytes(resumed.read_bytes()[:-20])
    told.clear()
    collect(resumed, questions, arms, "test-0", told.append)
    assert resumed.read_bytes() == whole.read_bytes()
    assert told[0] == 15
    row = json.loads(whole.read_text().splitlines()[0])
    assert row["outcomes"][NAMES[0]]["ans"] == f"{NAMES[0]} {len(questions[0].text)}"


def test_a_table_of_other_requests_or_arms_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    questions = questions_of(draw_traffic(10, "test", 0))
    collect(path, questions, {"a": fake("a")}, "test-0")
    for others, names in ((questions_of(draw_traffic(10, "test", 1)), "a"), (questions, "b")):
        with pytest.raises(BadRequest) as raised:
            collect(path, others, {names: fake(names)}, "test-0")
        assert raised.value.code == "other_table"


def test_the_embedded_arms_answer_and_tell_their_bytes() -> None:
    names = (*NAMES, "embedded/large?mode=direct", "embedded/small?mode=direct&n=3", "embedded/pair?risk=0")
    arms = embedded_arms(names)
    traffic = [asked for asked in draw_traffic(40, "test", 0) if asked.task in ("arithmetic", "extraction")][:6]
    texts = [asked.text for asked in traffic]
    found = {name: arm(texts) for name, arm in arms.items()}
    moved = {name: sum(one.cost.moved_bytes for one in its) for name, its in found.items()}
    assert all(one.cost.completion_tokens and one.cost.seconds > 0 for its in found.values() for one in its)
    assert sum(asked.is_right(one.text) for asked, one in zip(traffic, found[REFERENCE], strict=True)) >= 5
    assert [one.text for one in found["embedded/pair?risk=0"]] == [one.text for one in found[REFERENCE]]
    assert moved["embedded/small?mode=direct"] < moved["embedded/large?mode=direct"] < moved[REFERENCE]
    assert moved["embedded/pair?risk=0.005"] <= moved["embedded/pair?risk=0"] < moved[REFERENCE]
    assert moved["embedded/large?budget=0.6"] < moved[REFERENCE]
    assert moved["embedded/small?mode=direct&n=3"] > 2.5 * moved["embedded/small?mode=direct"]
    alone = [arms[REFERENCE]([text])[0] for text in texts]
    assert [one.cost.moved_bytes for one in alone] == [one.cost.moved_bytes for one in found[REFERENCE]]
    with pytest.raises(BadRequest) as raised:
        embedded_arms(["embedded/huge"])
    assert raised.value.code == "unknown_arm"


def test_a_prompt_that_does_not_fit_is_wrong_and_costs_a_byte() -> None:
    arm = embedded_arms([REFERENCE])[REFERENCE]
    long, short = arm(["zq " * 400, "Tell the work of Kami."])
    assert (long.text, long.cost.moved_bytes, long.cost.completion_tokens) == ("", 1, 0)
    assert short.cost.moved_bytes > 1_000


def test_parts_of_requests_are_rows_of_their_own() -> None:
    traffic = draw_traffic(400, "test", 0)
    questions = {one.text: one for one in questions_of(traffic)}
    several = [asked for asked in traffic if len(split(asked.text).texts) == len(asked.answers) > 1]
    assert several
    for asked in several:
        for text, answer in zip(split(asked.text).texts, asked.answers, strict=True):
            assert questions[text].is_right(answer)
            assert not questions[text].is_right(answer + "1")


# -- levels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", configurations(), ids=lambda one: one.name)
def test_what_is_off_is_never_used_and_all_bytes_are_of_some_track(one: Configuration, known: Known) -> None:
    found = measure(one, known, known, known, Promise.of_quality(0.8)).found
    by_track = dict(zip(TRACKS, found.moved.sum(0), strict=True))
    assert found.total.sum() == sum(by_track.values())
    for level in set(LEVELS) - one.levels:
        if level in by_track:
            assert by_track[level] == 0, level
    if "memory" not in one.levels:
        assert "copy" not in found.kinds
    if "parts" not in one.levels:
        assert "joined" not in found.kinds
    if not one.levels & {"program", "solver"}:
        assert "fixed" not in found.kinds
    if "query" not in one.levels:
        assert by_track["small"] == 0
    models = sum(count * moved for count, moved in zip(found.by_arm, BYTES, strict=True))
    assert models == sum(by_track[track] for track in ("small", "large", "token", "unit"))


def test_every_level_is_used_where_it_is_on(part: Part) -> None:
    found = replay(walk(part, ALL, every(part, 3)), part, every(part, 3), REF)
    assert set(found.kinds) == {"copy", "joined", "fixed", "row"}
    assert found.moved[:, TRACKS.index("token")].sum() > 0
    assert found.moved[:, TRACKS.index("program")].sum() > 0


def test_no_level_is_the_reference_on_everything(part: Part) -> None:
    found = replay(walk(part, frozenset(), every(part, REF)), part, every(part, REF), REF)
    assert found.total.tolist() == [100.0] * len(part.traffic)
    assert found.right.all()


def test_what_is_repeated_is_answered_as_before_for_the_bytes_of_the_answer(part: Part) -> None:
    arms = every(part, 4)
    plan = walk(part, frozenset({"memory"}), arms)
    found = replay(plan, part, arms, REF)
    first: dict[str, int] = {}
    hits = 0
    for place, asked in enumerate(part.traffic):
        if found.kinds[place] == "copy" and asked.text in first:
            hits += 1
            assert found.right[place] == found.right[first[asked.text]]
            assert found.total[place] == len(part.finals[part.rows[asked.text]][4].encode())
        first.setdefault(asked.text, place)
    assert hits > 5


def test_a_plan_replays_as_it_was_walked(part: Part) -> None:
    for arm in range(5):
        walked = replay(walk(part, ALL - {"memory"}, every(part, arm)), part, every(part, arm), REF)
        replayed = replay(walk(part, ALL - {"memory"}, every(part, REF)), part, every(part, arm), REF)
        assert walked.right.tolist() == replayed.right.tolist()
        assert walked.moved.tolist() == replayed.moved.tolist()


def test_what_only_tracks_get_right_gives_no_credit(part: Part) -> None:
    wrong = replace(part, outcomes=replace(part.outcomes, right=np.zeros_like(part.outcomes.right)))
    found = replay(walk(wrong, frozenset({"program"}), every(part, REF)), wrong, every(part, REF), REF)
    assert found.right.sum() > 0
    assert found.credit.sum() == 0


def test_arms_belong_to_levels() -> None:
    assert [level_of(name) for name in NAMES] == ["unit", "query", "token", "token", "query"]
    assert allowed_arms(NAMES, frozenset()) == [REF]
    assert allowed_arms(NAMES, frozenset({"query"})) == [REF, 4]
    assert allowed_arms(NAMES, frozenset({"token"})) == [REF, 3]
    assert allowed_arms(NAMES, ALL) == list(range(5))


def test_a_choice_keeps_to_the_arms_that_are_allowed(known: Known) -> None:
    levels = ALL - {"token"}
    for candidate in candidates(known, levels)[::7]:
        assert set(arms_of(known, levels, candidate).tolist()) <= set(allowed_arms(NAMES, levels))
    novel = Known(known.part, replace(known.forecasts, novelty=np.ones(len(known.part.outcomes))))
    chosen = arms_of(novel, ALL, Candidate(Setting(0.1, 0.0), REF))
    assert set(chosen.tolist()) == {REF}


def test_only_what_passes_on_the_calibration_requests_is_taken(known: Known) -> None:
    levels = frozenset({"token", "unit"})
    loose, strict = (certified(known, known, levels, Promise.of_quality(quality)) for quality in (0.7, 0.97))
    assert loose.candidate == Candidate(None, 3)  # right on nine of ten, for the fewest bytes
    assert strict.candidate in (None, Candidate(None, REF))


def test_texts_that_are_known_need_no_router(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text(json.dumps(["a", ["1", 5], [None, 0]]) + "\n" + '["b", ["2"')

    def none() -> None:
        raise AssertionError("not needed")

    assert said_of(path, ["a"], none) == {"a": Said(Found("1", 5), Found(None, 0))}  # type: ignore[arg-type]
