"""The index against plain loops, guards, what is learned, and the certificate."""

import math
import random

import pytest

from pointsman.core import BadRequest
from pointsman.core.ngrams import ngrams
from pointsman.query.memory.belief import Belief
from pointsman.query.memory.certificate import Certificate
from pointsman.query.memory.guards import signature
from pointsman.query.memory.nearest import DIMENSION, Rows, vector_of
from pointsman.query.memory.pairs import features
from pointsman.query.memory.policies import Choice, Near
from pointsman.query.memory.pooled import Pooled
from pointsman.query.memory.questions import FAMILIES, draw_meaning, near_meaning
from pointsman.query.memory.rivals import PerEntry, Static
from pointsman.query.memory.semantic import Semantic


def test_the_nearest_are_those_of_a_double_loop() -> None:
    rng = random.Random(1)
    rows, texts = Rows(), {}
    for entry in range(300):
        texts[entry] = draw_meaning(rng).worded(0)
        rows.add(entry, vector_of(texts[entry]))
        if rng.random() < 0.3:
            gone = rng.choice(sorted(texts))
            del texts[gone]
            rows.remove(gone)
    assert len(rows) == len(texts)
    for _ in range(20):
        query = draw_meaning(rng).worded(1)
        weights, found = ngrams(query, DIMENSION), {}
        for entry, text in texts.items():
            other = ngrams(text, DIMENSION)
            found[entry] = sum(weight * other.get(index, 0.0) for index, weight in weights.items())
        nearest = rows.nearest(vector_of(query), 8)
        assert [s for _, s in nearest] == pytest.approx(sorted(found.values(), reverse=True)[:8], abs=1e-5)
        assert all(found[entry] == pytest.approx(s, abs=1e-5) for entry, s in nearest)


def test_a_text_without_words_is_near_nothing() -> None:
    assert not vector_of("").any()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 12 plus 5?", "What is 12 plus 6?"),
        ("What is 12 minus 5?", "What is 5 minus 12?"),
        ("Is 7 prime?", "Is 7 not prime?"),
        ("Did Tom pay Ada?", "Did Ada pay Tom?"),
        ("Is it open?", "Isn't it open?"),
        ("Who is older?", "Who is younger?"),
        ('Reverse "abc".', 'Reverse "abd".'),
        ("What does `f(x)` do?", "What does `f(y)` do?"),
        ("Give me three names", "Give me four names"),
        ("Is a < b?", "Is a > b?"),
        ("Write to a@b.org", "Write to c@b.org"),
        ("Tell me of Paris", "Tell me of London"),
    ],
)
def test_guards_tell_near_duplicates_apart(one: str, other: str) -> None:
    assert signature(one) != signature(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the sum of 2 and 3?", "Please compute the sum of 2 and 3."),
        ("How do I reset my card?", "I want to reset my card. How?"),
        ("Is 1,000 a prime?", "Would 1000 be a prime?"),
        ("Tell me of Paris", "What do you know of Paris?"),
    ],
)
def test_guards_let_paraphrases_through(one: str, other: str) -> None:
    assert signature(one) == signature(other)


def test_near_meanings_differ_in_one_thing_and_all_wordings_can_be_written() -> None:
    rng = random.Random(2)
    for _ in range(300):
        meaning = draw_meaning(rng)
        near = near_meaning(meaning, rng)
        assert near != meaning
        assert near.family is meaning.family
        for wording in range(len(meaning.family.wordings)):
            assert "{" not in meaning.worded(wording)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


def test_only_one_context_and_signature_is_compared() -> None:
    index = Semantic(Pooled(Certificate(0.02)), has_guards=True)
    index.add(1, b"c", "What is 2 plus 3?")
    assert index.look(b"other", "What is 2 plus 3?") is None
    assert index.look(b"c", "What is 2 plus 4?") is None
    assert index.look(b"c", "How much is 2 plus 3?").choice.near.entry == 1
    index.remove(1)
    index.remove(1)
    assert index.look(b"c", "How much is 2 plus 3?") is None
    open_index = Semantic(Pooled(Certificate(0.02)), has_guards=False)
    open_index.add(1, b"c", "What is 2 plus 3?")
    assert open_index.look(b"c", "What is 2 plus 4?") is not None


def test_features_say_what_differs() -> None:
    same = features("How do I find it?", "How do I find it?", 1.0, 3)
    number = features("Take 2 of it", "Take 3 of it", 0.9, 3)
    word = features("in minutes please", "in seconds please", 0.9, 3)
    reordered = features("Tom met Ada", "Ada met Tom", 0.9, 3)
    assert len({tuple(sorted(one)) for one in (same, number, word, reordered)}) == 4
    assert all(-7 in one for one in (same, number, word, reordered))  # the entry's own offset
    assert features("a b", "a c", 0.5, 3).keys() == features("a c", "a b", 0.5, 3).keys()


def test_a_belief_learns_and_what_is_new_stays_unsure() -> None:
    belief = Belief(lambda index: (1.0 if index == 0 else 0.0, 0.4), 1.0)
    for _ in range(300):
        belief.learn({0: 1.0, 1: 1.0}, False)
        belief.learn({0: 1.0, 2: 1.0}, True)
    assert belief.upper({0: 1.0, 1: 1.0}) < 0.1
    assert belief.upper({0: 1.0, 2: 1.0}) > 0.9
    assert belief.upper({0: 1.0, 1: 1.0, 3: 1.0}) > 2 * belief.upper({0: 1.0, 1: 1.0})
    other = Belief(lambda index: (1.0 if index == 0 else 0.0, 0.4), 1.0)
    other.restore(belief.changes())
    assert other.upper({0: 1.0, 1: 1.0}) == belief.upper({0: 1.0, 1: 1.0})
    assert belief.changes() == []
    belief.forget([2])
    assert belief.upper({2: 1.0}) == Belief(lambda _: (0.0, 0.4), 1.0).upper({2: 1.0})


def test_an_entry_that_is_an_exception_gets_its_own_threshold() -> None:
    policy = Pooled(Certificate(0.02))
    good, bad = (Near(entry, "How do I find it?", 0.8) for entry in (1, 2))
    for number in range(200):
        policy.learn("How can I find it?", Choice(good, 0.5, False), [(good, False)])
        if number % 5 == 0:
            policy.learn("How can I find it?", Choice(bad, 0.5, False), [(bad, True)])
    assert policy.choose("How can I find it?", [bad, good]).near == good
    assert policy.choose("How can I find it?", [bad]).score > 2 * policy.choose("How can I find it?", [good]).score


def test_a_certificate_is_seldom_given_to_what_is_wrong_too_often() -> None:
    """200 streams at the bound itself, 800 lookups each: at most 5 % may pass, plus three standard errors."""
    passed = 0
    for seed in range(200):
        rng, certificate = random.Random(seed), Certificate(0.05)
        for _ in range(800):
            certificate.learn(0.01, rng.random() < 0.05)
            if certificate.covers(0.01):
                passed += 1
                break
    assert passed / 200 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 200)


def test_a_certificate_is_given_kept_and_taken_away() -> None:
    certificate = Certificate(0.05)
    for _ in range(100):
        certificate.learn(0.01, False)
    assert not certificate.covers(0.01)
    certificate.learn(0.01, False)
    assert certificate.covers(0.01)
    assert not certificate.covers(0.3)  # another band
    assert not certificate.covers(0.9)  # no band
    certificate.learn(0.9, True)
    again = Certificate(0.05)
    again.restore(certificate.to_json())
    assert again.bands == certificate.bands
    for _ in range(3):
        again.learn(0.01, True)
    assert not again.covers(0.01)
    assert certificate.covers(0.01)


def test_a_sudden_change_costs_about_sixty_wrong_answers() -> None:
    """The documented limit: a certified band, then wrong lookups only, one in twenty audited. 300 streams."""
    given_out = []
    for seed in range(300):
        rng, certificate, wrong = random.Random(seed), Certificate(0.05), 0
        for _ in range(101):
            certificate.learn(0.01, False)
        while certificate.covers(0.01):
            if rng.random() < 0.05:
                certificate.learn(0.01, True)
            else:
                wrong += 1
        given_out.append(wrong)
    assert sum(given_out) / 300 == pytest.approx(57, abs=3 * 33 / math.sqrt(300))  # 3 audits, 19 answers before each


def test_a_test_that_goes_badly_begins_anew() -> None:
    certificate = Certificate(0.05)
    for _ in range(10):
        certificate.learn(0.01, True)
    beginning = certificate.bands[0].beginning
    assert beginning > 1
    for _ in range(300):
        certificate.learn(0.01, False)
    assert certificate.covers(0.01)
    assert certificate.bands[0].num_wrong == 10


@pytest.mark.parametrize(("delta", "confidence"), [(0.0, 0.95), (0.5, 0.95), (0.02, 1.0)])
def test_bounds_that_cannot_be_are_refused(delta: float, confidence: float) -> None:
    with pytest.raises(BadRequest):
        Certificate(delta, confidence)


def test_the_rivals_decide_as_published() -> None:
    near = [Near(1, "a", 0.9)]
    assert Static(0.9).choose("b", near).answers
    assert not Static(0.91).choose("b", near).answers
    vcache = PerEntry(0.02)
    assert not vcache.choose("b", near).answers  # too few observations
    for similarity in [0.95] * 60 + [0.3] * 4:
        seen = Near(1, "a", similarity)
        vcache.learn("b", Choice(seen, 1.0, False), [(seen, similarity < 0.5)])
    sure, unsure = Near(1, "a", 1.0), Near(1, "a", 0.5)
    assert vcache.choose("b", [sure]).score < vcache.choose("b", [unsure]).score
    vcache.forget(1)
    assert vcache.choose("b", [sure]).score == 1.0
