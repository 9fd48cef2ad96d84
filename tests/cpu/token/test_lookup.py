"""Lookup finds what a search through everything before finds, and learns how often it was right."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.core import BadRequest
from pointsman.engine import Sampling, generate
from pointsman.token.batch import generate_pair
from pointsman.token.judges import Divergence
from pointsman.token.lookup import LONGEST, Lookup, Match, Memory, Past, Proposed, Rates, SuffixAutomaton, TextIndex
from pointsman.token.method import Method, ours
from pointsman.token.pair import Pair
from pointsman.token.scores import MaxProbability
from pointsman.token.stops import After

few_letters = st.lists(st.integers(0, 2), max_size=40)


def slow_match(text: Sequence[int], before: Sequence[int], *, is_own: bool) -> Match:
    """The longest end of `text` that stands in `before`, and behind where it stood first."""
    for length in range(len(text) - is_own, 0, -1):
        wanted = list(text[len(text) - length :])
        for end in range(length, len(before) + 1 - is_own):
            if list(before[end - length : end]) == wanted:
                return Match(length, end)
    return Match(0, 0)


@given(few_letters)
def test_a_texts_own_matches_are_those_of_a_search(text: list[int]) -> None:
    automaton, state, length = SuffixAutomaton(), 0, 0
    for place, token in enumerate(text):
        state, length = automaton.step(state, length, token)
        automaton.append(token)
        assert automaton.match(state, length) == slow_match(text[: place + 1], text[: place + 1], is_own=True)


@given(few_letters, few_letters)
def test_matches_in_another_sequence_are_those_of_a_search(before: list[int], text: list[int]) -> None:
    automaton, state, length = SuffixAutomaton(), 0, 0
    for token in before:
        automaton.append(token)
    for place, token in enumerate(text):
        state, length = automaton.step(state, length, token)
        assert automaton.match(state, length) == slow_match(text[: place + 1], before, is_own=False)


@given(st.lists(few_letters, max_size=6), few_letters)
def test_what_is_proposed_followed_the_longest_match(texts: list[list[int]], text: list[int]) -> None:
    past = Past()
    for one in texts:
        past.add(one)
    joined = [token for one in texts for token in (*one, -1)]
    index = TextIndex(past)
    for token in text:
        index.append(token)
    own, other = slow_match(text, text, is_own=True), slow_match(text, joined, is_own=False)
    found = index.propose(5)
    source, match, sequence = ("past", other, joined) if other.length > own.length else ("text", own, text)
    following = sequence[match.end : match.end + 5]
    following = following[: following.index(-1)] if -1 in following else following
    if match.length == 0 or not following:
        assert found is None
    else:
        assert found is not None
        assert (list(found.tokens), found.source, found.length) == (list(following), source, match.length)


def test_two_generations_of_the_past_are_kept() -> None:
    past = Past(most_tokens=4)
    for start in (10, 20, 30, 40):
        past.add(range(start, start + 5))
    young, old = past.generations
    assert young.tokens == [40, 41, 42, 43, 44, -1]
    assert old.tokens == [30, 31, 32, 33, 34, -1]
    index = TextIndex(past)
    for token in (31, 32):
        index.append(token)
    past.add(range(50, 55))  # a new generation while a text goes on
    index.append(40)
    assert index.propose() == Proposed([41, 42, 43, 44], "past", 1)


def test_rates_count_up_to_the_first_difference() -> None:
    rates = Rates()
    assert rates.of("text", 3) == 0
    for _ in range(9):
        rates.count(Proposed([1, 2, 3], "text", LONGEST - 1), [1, 2, 4, 3])
    assert rates.of("text", LONGEST - 1) == pytest.approx(9 / 10)
    assert rates.of("text", LONGEST) == rates.of("text", 99) == pytest.approx(9 / 19)
    assert rates.of("past", LONGEST) == 0
    rates.count(Proposed([1], "text", 1), [])
    assert rates.of("text", 1) == 0


def test_lookup_sets_in_where_it_was_right() -> None:
    memory = Memory()
    taken = []
    for _ in range(12):
        lookup, known = Lookup(memory), [7, 8]
        for token in (1, 2, 3, 4):
            found = lookup.likely(known, 0.6)
            assert all(chance >= 0.6 for _, chance in found)
            taken.append([token for token, _ in found])
            known.append(token)
        lookup.finish(known[:2], known[2:])
    assert taken[:4] == [[], [], [], []]
    assert taken[-3:] == [[2, 3, 4], [3, 4], [4]]  # the prompt is not part of the past


@pytest.mark.parametrize("num_rows", [1, 3])
def test_looked_up_tokens_change_no_strict_text(pair: Pair, num_rows: int) -> None:
    prompts = [[5, 6, 7, 5, 6], [8, 9, 8, 9], [5, 6, 7, 5, 6], [11] * 6] * 4
    memory, sampling = Memory(), Sampling(max_tokens=25)
    method = ours(MaxProbability(), 0.3, 0.0, 0.0, lookup=0.3)
    texts = generate_pair(pair, method, prompts, sampling, num_rows=num_rows, memory=memory)
    assert [text.tokens for text in texts] == [text.tokens for text in generate(pair.large, prompts, sampling)]
    assert sum(text.num_lookup_tokens for text in texts) > 20
    assert sum(text.num_lookup_tokens for text in texts[-4:]) > sum(text.num_lookup_tokens for text in texts[:2])
    for text in texts:
        assert text.num_lookup_tokens + text.num_small_tokens + text.num_large_tokens == len(text.tokens)
    again = generate_pair(pair, method, prompts, sampling, num_rows=num_rows, memory=memory)
    calls = [sum(text.num_calls for text in one) for one in (texts, again)]
    assert calls[1] < calls[0]


def test_sampled_texts_have_the_large_models_distribution(make_pair: Callable[..., Pair]) -> None:
    """Where every text begins as the past ones did: what is looked up is drafted with certainty."""
    pair, memory = make_pair(3, likeness=0.6), Memory()
    counts = {}
    for name, method in (("with", ours(MaxProbability(), 0.3, 0.0, 0.0, lookup=0.05)), ("without", None)):
        found: dict[tuple[int, ...], int] = {}
        looked_up = 0
        for seed in range(600):
            sampling = Sampling(temperature=0.9, top_k=2, max_tokens=2, seed=seed)
            if method is None:
                (text,) = generate(pair.large, [[5, 6, 7]], sampling)
            else:
                (written,) = generate_pair(pair, method, [[5, 6, 7]], sampling, memory=memory)
                text, looked_up = written, looked_up + written.num_lookup_tokens
            found[text.tokens] = found.get(text.tokens, 0) + 1
        counts[name] = found
        assert method is None or looked_up > 60
    outcomes = counts["with"].keys() | counts["without"].keys()
    distance = sum(abs(counts["with"].get(one, 0) - counts["without"].get(one, 0)) for one in outcomes) / 1200
    assert distance < 0.1  # two samples of 600 over four outcomes differ by 0.03 on the average


@pytest.mark.parametrize(
    "parts", [{}, {"judge": Divergence(1.0), "keeps_last": True}, {"judge": Divergence(1.0), "keeps_last": False}]
)
def test_what_is_looked_up_has_to_be_judged(parts: dict[str, object]) -> None:
    with pytest.raises(BadRequest, match="has to be judged"):
        Method("odd", After(3), lookup_from=0.5, **parts)  # type: ignore[arg-type]
