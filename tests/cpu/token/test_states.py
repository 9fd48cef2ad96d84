"""States are what both models think at each token of a text."""

from collections.abc import Callable

import torch

from pointsman.engine import Decoder, Sampling
from pointsman.token.batch import PairBatch
from pointsman.token.gate import observe
from pointsman.token.method import speculative
from pointsman.token.pair import Pair
from pointsman.token.states import States, before_texts, judged_states, states_along

FullLogits = Callable[[Decoder, torch.Tensor], torch.Tensor]

PROMPTS = [[5, 6, 7], [8], [9, 10, 11, 12]]
TEXTS = [[13, 14], [15, 16, 17, 1], [18]]


def test_states_are_those_of_whole_texts(pair: Pair, plain_logits: FullLogits) -> None:
    states = States.joined(list(states_along(pair, PROMPTS, TEXTS, num_rows=2)))
    assert states.tokens.tolist() == [13, 14, 15, 16, 17, 1, 18]
    assert states.text.tolist() == [0, 0, 1, 1, 1, 1, 2]
    assert states.place.tolist() == [0, 1, 0, 1, 2, 3, 0]
    at = 0
    for prompt, text in zip(PROMPTS, TEXTS, strict=True):
        whole = torch.tensor([[*prompt, *text]])
        first, count = len(prompt) - 1, len(text)
        q, p = (plain_logits(m.decoder, whole)[0, first : first + count] for m in (pair.small, pair.large))
        found, tokens = states.at(torch.arange(at, at + count)), torch.tensor(text)
        assert torch.equal(found.proposals, q.argmax(-1))
        assert torch.equal(found.best, p.argmax(-1))
        large = p.log_softmax(-1)
        torch.testing.assert_close(found.log_p, large[range(count), tokens], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.log_q, q.log_softmax(-1)[range(count), tokens], atol=1e-4, rtol=1e-4)
        behind = large.amax(-1) - large[range(count), q.argmax(-1)]
        torch.testing.assert_close(found.behind_nats, behind, atol=1e-4, rtol=1e-4)
        seen = observe(found.hidden, q, q.argmax(-1))
        torch.testing.assert_close(found.confidence, seen.confidence, atol=1e-4, rtol=1e-4)
        at += count


def test_what_is_seen_before_texts_is_the_first_state(pair: Pair) -> None:
    first = States.joined(list(states_along(pair, PROMPTS, TEXTS)))
    first = first.at(first.place == 0)
    seen = before_texts(pair.small, PROMPTS, pair.vocab_size)
    assert torch.equal(seen.proposals, first.proposals)
    assert seen.lengths is not None
    assert seen.lengths.tolist() == [3, 1, 4]
    torch.testing.assert_close(seen.hidden, first.hidden, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(seen.confidence, first.confidence, atol=1e-4, rtol=1e-4)


def test_acceptance_is_that_of_speculative_sampling(pair: Pair, plain_logits: FullLogits) -> None:
    states = States.joined(list(states_along(pair, [PROMPTS[0]], [TEXTS[1]])))
    whole = torch.tensor([[*PROMPTS[0], *TEXTS[1]]])
    q, p = (plain_logits(m.decoder, whole)[0, 2:6].softmax(-1) for m in (pair.small, pair.large))
    drafted = q.argmax(-1)
    expected = (p[range(4), drafted] / q[range(4), drafted]).clamp(max=1)
    torch.testing.assert_close(states.accepted, expected, atol=1e-4, rtol=1e-4)
    assert 0 < float(states.accepted.min()) < 1


def test_states_of_a_call_are_reached_up_to_the_first_token_that_is_not_its_own(pair: Pair) -> None:
    heard: list[States] = []
    lengths = []

    def hear(judged: object) -> None:
        heard.append(judged_states(judged, 7))  # type: ignore[arg-type]
        lengths.append(len(judged.tokens))  # type: ignore[attr-defined]

    batch = PairBatch(pair, speculative(5), 2, on_judged=hear)
    for prompt in PROMPTS:
        batch.submit(prompt, Sampling(max_tokens=20))
    while not batch.is_idle:
        batch.step()
    assert [len(states) for states in heard] == lengths
    assert len(heard) > 5
    assert sum(int((~states.reached).sum()) for states in heard) > 0
    for states in heard:
        stands = states.proposals == states.best
        num_kept = int(stands.long().cumprod(0).sum())
        assert states.reached.tolist() == [place <= num_kept for place in range(len(states))]
        assert torch.equal(states.behind_nats == 0, stands)
        assert states.text.tolist() == [7] * len(states)
        assert states.place.tolist() == list(range(len(states)))
