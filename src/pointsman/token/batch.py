"""The loop in which two models write texts together: texts join and leave, and every step is a turn of each model.

In the small model's turn every text goes on until its method hands over, one forward for all that still write. In the
large model's turn one ragged forward brings it up to date on everything that it has not read, for all texts that asked;
its logits judge what is pending, and give the token that follows. Weights are thus read once for all texts, and a
text that asked early waits for the others: small steps are cheap. What is pending is not shown to the caller.

    batch = PairBatch(pair, speculative(4), num_rows=8)
    writing = batch.submit(prompt, Sampling())
    while not batch.is_idle:
        batch.step()
    writing.result()

A large model that no text asks never runs, and does not read the prompt either.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from pointsman.core import BadRequest
from pointsman.engine import Extension, Sampling, TextRows
from pointsman.engine.batch import require_prompt, write_all
from pointsman.token.fast_gate import FastGate
from pointsman.token.fast_turn import MOST_UNREAD, FastTurn
from pointsman.token.judging import judged, keeps_logits
from pointsman.token.lookup import Lookup, Memory
from pointsman.token.method import Method, Outlook
from pointsman.token.pair import Pair
from pointsman.token.scores import SURE, Opinion, Scorer
from pointsman.token.stops import Below
from pointsman.token.writing import PairText, PairWriting

_NOTHING = torch.empty(0)
"""Logits and hidden states that nobody looks at."""

_ALONE = Method("small alone", Below(0.0))

_MOST_METHODS = 64
"""Risks whose methods are kept. Chosen."""


@dataclass(frozen=True, slots=True)
class PairSampling(Sampling):
    """`Sampling` with a dial.

    Attributes:
        risk: chance of losing the answer at which a call is saved, see `method.ours`; at 0 the text is the large
            model's, token for token; None: as the batch's method has it.
    """

    risk: float | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a call of the large model says of the k tokens that were pending: labels that cost nothing more.

    Attributes:
        writing: the text.
        hidden: (k, D) the small model's last hidden states from which it proposed them, float32.
        q: (k, V) its logits there, float32.
        tokens: (k,) the tokens.
        p: (k, V) the large model's logits at their places, float32.
        num_kept: how many from the front stand; below 0 where something looked up before them does not.
    """

    writing: PairWriting
    hidden: Tensor
    q: Tensor
    tokens: Tensor
    p: Tensor
    num_kept: int


class PairBatch:
    """Texts that two models write together. Not safe for threads.

    Args:
        pair: the models.
        method: how they share the work.
        num_rows: how many texts at once.
        capacity_tokens: longest prompt and text together, or None for the pair's context.
        on_judged: gets what each call of the large model says of pending tokens.
        sessions: where the small and the large model read, or None for new cached ones.
        memory: what lookup learned before, or None to begin anew.
        at_risk: the method at another risk, over the very same gates, for texts that bring one (`PairSampling`).
    """

    def __init__(
        self,
        pair: Pair,
        method: Method,
        num_rows: int,
        capacity_tokens: int | None = None,
        on_judged: Callable[[Judged], None] | None = None,
        sessions: tuple[TextRows, TextRows] | None = None,
        memory: Memory | None = None,
        at_risk: Callable[[float], Method] | None = None,
    ) -> None:
        self.pair, self.method = pair, method
        self._on_judged, self._memory = on_judged, memory or Memory()
        self.capacity_tokens = capacity_tokens or pair.context_tokens
        self._num_rows = num_rows
        self._small, self._large = sessions or (
            pair.small.session(num_rows, self.capacity_tokens),
            pair.large.session(num_rows, self.capacity_tokens),
        )
        self._at_risk, self._methods = at_risk, dict[float, Method]()
        self._fast_both: dict[int, tuple[Method, FastTurn | None]] = {}  # by identity; a method is kept with its turn
        self._fast_small = self._compiled(_ALONE)
        self._scorer, self._outlook = FastGate.of(method.scorer), FastGate.of(method.outlook)
        self._waiting: deque[PairWriting] = deque()
        self._busy: list[PairWriting] = []

    @property
    def name(self) -> str:
        """The models'."""
        return f"{self.pair.small.name} with {self.pair.large.name}"

    @property
    def vocab_size(self) -> int:
        """Ids that both models know."""
        return self.pair.vocab_size

    @property
    def is_idle(self) -> bool:
        """Whether a step would do nothing."""
        return not self._busy and not self._waiting

    def submit(
        self, prompt: Sequence[int], sampling: Sampling, on_text: Callable[[str], None] | None = None
    ) -> PairWriting:
        """Lets a text wait for a place. Raises as `engine.Batch.submit` and `PairWriting`."""
        require_prompt(prompt, self.pair.vocab_size, self.capacity_tokens)
        method = self._method_for(sampling)
        writing = PairWriting(tuple(prompt), sampling, self.pair, method, on_text)
        writing.role = "both" if method.outlook is None else None
        writing.asks = method.begins_large
        if method.lookup_from < 1:
            writing.lookup = Lookup(self._memory)
        self._waiting.append(writing)
        return writing

    def renewed(self) -> Self:
        """An empty batch of the same kind, for when a step failed and left this one undefined."""
        return type(self)(
            *(self.pair, self.method, self._num_rows, self.capacity_tokens, self._on_judged),
            memory=self._memory,
            at_risk=self._at_risk,
        )

    @torch.inference_mode()
    def step(self) -> list[PairWriting]:
        """A turn of each model; returns the texts that ended."""
        left = self._leave()
        while self._waiting and len(self._busy) < self._num_rows:
            self._busy.append(self._waiting.popleft())
        self._small_turn()
        self._large_turn()
        return left + self._leave()

    def _look_up(self) -> None:
        """Lookup writes before the small model does, while it is sure enough."""
        for text in self._busy:
            if text.lookup is not None and text.role == "both" and text.goes_on and not text.pending:
                self._take(text, text.lookup.likely(text.known, text.rules.lookup_from))

    def _take(self, text: PairWriting, found: Sequence[tuple[int, float]]) -> None:
        for token, chance in found:
            if not text.goes_on:
                return
            text.num_looked_up += 1
            logits = torch.full((self.pair.vocab_size,), -torch.inf)
            logits[token] = 0.0  # it was certain: sampling exactly needs to know
            self._propose(text, token, Opinion(chance), logits, _NOTHING)

    def _small_turn(self) -> None:
        self._look_up()
        while rows := [row for row, text in enumerate(self._busy) if text.goes_on]:
            if fast := [row for row in rows if self._can_go_on(row)]:
                self._go_on(fast)
                continue
            texts = [self._busy[row] for row in rows]
            seen = _extend(self._small, rows, texts)
            logits = seen.logits[:, 0, : self.pair.vocab_size]
            proposals = _draw(logits, texts)
            self._assign(texts, seen.hidden[:, 0], logits, proposals)
            opinions = self._opinions(seen.hidden[:, 0], logits, proposals, texts)
            for index, (text, share) in enumerate(zip(texts, seen.shares, strict=True)):
                text.small += share
                self._propose(text, int(proposals[index]), opinions[index], logits[index], seen.hidden[index, 0])

    def _assign(self, texts: Sequence[PairWriting], hidden: Tensor, logits: Tensor, proposals: Tensor) -> None:
        """Decides who writes the texts of which that is not known, from what the small model made of their prompts."""
        new = [index for index, text in enumerate(texts) if text.role is None]
        if not new:
            return
        assert self._outlook is not None
        lengths = torch.tensor([len(texts[index].prompt) for index in new])
        outlooks = self._outlook(hidden[new], logits[new], proposals[new], lengths).tolist()
        for index, outlook in zip(new, outlooks, strict=True):
            _count_score(texts[index], self._outlook, len(new))
            texts[index].role = texts[index].rules.role(Outlook.of(outlook))

    def _can_go_on(self, row: int) -> bool:
        """Whether the compiled turn can write this text."""
        text = self._busy[row]
        judge = text.rules.judge
        if self._fast_turn(text) is None or text.sampling.temperature > 0:
            return False
        if text.role == "both" and (self._on_judged is not None or (judge is not None and judge.needs_small)):
            return False
        has_room = text.num_known < self.capacity_tokens
        return has_room and text.num_known - self._small.lengths[row] <= MOST_UNREAD

    def _go_on(self, rows: Sequence[int]) -> None:
        """These texts' whole turn, in one compiled call for all of a role and a method."""
        left = list(rows)
        while left:
            first = self._busy[left[0]]
            fast = self._fast_turn(first)
            assert fast is not None
            alike = [row for row in left if self._fast_turn(self._busy[row]) is fast]
            self._go_on_alike(fast, alike)
            left = [row for row in left if row not in alike]

    def _fast_turn(self, text: PairWriting) -> FastTurn | None:
        """The compiled turn of a text; all that the small model writes alone share one."""
        if text.role == "both":
            kept = self._fast_both.get(id(text.rules))
            if kept is None:
                kept = self._fast_both[id(text.rules)] = text.rules, self._compiled(text.rules)
            return kept[1]
        return self._fast_small if text.role == "small" else None

    def _compiled(self, method: Method) -> FastTurn | None:
        ends = (*self.pair.large.config.eos_tokens, *self.pair.small.config.eos_tokens)
        return FastTurn.over(self._small, method, self.pair.vocab_size, ends)

    def _method_for(self, sampling: Sampling) -> Method:
        """The batch's, or for a text with a risk of its own ours at that. Raises BadRequest `invalid_risk`."""
        risk = sampling.risk if isinstance(sampling, PairSampling) else None
        if risk is None:
            return self.method
        if self._at_risk is None:
            problem = f"{self.name} writes by {self.method.name}, which has no risk to choose; leave it out"
            raise BadRequest(problem, code="invalid_risk", param="risk")
        if not 0 <= risk <= 1:
            raise BadRequest(f"risk is {risk!r}; expected a chance from 0 to 1", code="invalid_risk", param="risk")
        if risk not in self._methods:
            if len(self._methods) >= _MOST_METHODS:
                self._methods.clear()
                self._fast_both.clear()
            self._methods[risk] = self._at_risk(risk)
        return self._methods[risk]

    def _go_on_alike(self, fast: FastTurn, rows: Sequence[int]) -> None:
        texts = [self._busy[row] for row in rows]
        is_judged = self._is_judged(texts[0])
        capacity = self.capacity_tokens + (not is_judged)  # a last token that stands is read by nobody
        written = fast.write(
            rows,
            [text.known[self._small.lengths[row] :] for row, text in zip(rows, texts, strict=True)],
            [text.survival for text in texts],
            [len(text.pending) for text in texts],
            [text.num_room(capacity) for text in texts],
        )
        for text, found in zip(texts, written, strict=True):
            text.small += found.traffic
            for token, opinion in zip(found.tokens, found.opinions, strict=True):
                if text.role == "both":
                    _count_score(text, text.rules.scorer, len(texts))
                self._propose(text, token, opinion, _NOTHING, _NOTHING)
                if not text.goes_on:
                    break
        for row, text in zip(rows, texts, strict=True):
            self._small.truncate(row, min(self._small.lengths[row], text.num_known))

    def _opinions(
        self, hidden: Tensor, logits: Tensor, proposals: Tensor, texts: Sequence[PairWriting]
    ) -> list[Opinion]:
        scorer, scored = self._scorer, [text for text in texts if text.role == "both"]
        if scorer is None or not scored:
            return [SURE] * len(texts)
        for text in scored:
            _count_score(text, scorer, len(scored))
        return [Opinion(*columns) for columns in scorer(hidden, logits, proposals).tolist()]

    def _is_judged(self, text: PairWriting) -> bool:
        return text.rules.judge is not None and text.role == "both"

    def _propose(self, text: PairWriting, token: int, opinion: Opinion, logits: Tensor, hidden: Tensor) -> None:
        """The small model's next token: it stands, is pending, or is left to the large model."""
        method, num_pending = text.rules, len(text.pending) + 1
        is_forgiven = method.is_forgiven(opinion)
        score = 1.0 if is_forgiven else opinion.stands
        survival = text.survival * score
        hands_over = text.role == "both" and method.stop.hands_over(score, survival, num_pending)
        is_judged = self._is_judged(text)
        is_full = is_judged and text.num_known >= self.capacity_tokens  # no room for it to be read
        if text.role == "large" or is_full or (hands_over and not method.keeps_last):
            text.asks = True
        elif not is_judged:
            text.add(token, "small")
            self._end_where_full(text)
        else:
            is_end = text.ends_with(token) or text.num_known + 1 >= self.capacity_tokens
            text.pending.append(token)
            text.pending_forgiven.append(is_forgiven)
            text.survival, text.safety = survival, text.safety * opinion.safety
            if self._on_judged is not None or keeps_logits(method.judge, text):
                text.pending_logits.append(logits.float())
                text.pending_hidden.append(hidden.float())
            if is_end and text.safety >= method.end_safety:
                text.settle(num_pending)
                self._end_where_full(text)
            text.asks = text.finish_reason is None and (is_end or hands_over or num_pending >= method.most_pending)

    def _large_turn(self) -> None:
        rows = [row for row, text in enumerate(self._busy) if text.asks and text.finish_reason is None]
        if not rows:
            return
        texts = [self._busy[row] for row in rows]
        seen = _extend(self._large, rows, texts, [len(text.pending) + 1 for text in texts])
        for index, (row, text) in enumerate(zip(rows, texts, strict=True)):
            text.large += seen.shares[index]
            text.num_calls += 1
            self._settle(row, text, seen.logits[index, : len(text.pending) + 1, : self.pair.vocab_size].float())

    def _settle(self, row: int, text: PairWriting, p: Tensor) -> None:
        """Judges the k pending tokens by the large model's (k + 1, V) logits, and adds the token that follows."""
        num_pending = len(text.pending)
        num_kept, follower = judged(text.rules.judge, text, p)
        if self._on_judged is not None and num_pending > text.num_looked_up:
            self._tell(text, p[:num_pending], num_kept)
        text.settle(num_kept)
        if text.finish_reason is None:
            for session in (self._small, self._large):
                session.truncate(row, min(session.lengths[row], text.num_known))
            text.add(follower, "large")
            self._end_where_full(text)
        text.asks = text.role == "large" or (text.rules.rewrites and num_kept < num_pending)

    def _tell(self, text: PairWriting, p: Tensor, num_kept: int) -> None:
        """What the large model says of the tokens that the small one wrote; of what was looked up it says nothing."""
        assert self._on_judged is not None
        begin = text.num_looked_up
        hidden, q = torch.stack(text.pending_hidden[begin:]), torch.stack(text.pending_logits[begin:])
        self._on_judged(Judged(text, hidden, q, torch.tensor(text.pending[begin:]), p[begin:], num_kept - begin))

    def _end_where_full(self, text: PairWriting) -> None:
        if text.finish_reason is None and text.num_known > self.capacity_tokens:  # the last token is read by nobody
            text.finish("length")

    def _leave(self) -> list[PairWriting]:
        left = [text for text in self._waiting if text.finish_reason is not None]
        self._waiting = deque(text for text in self._waiting if text.finish_reason is None)
        for row in reversed(range(len(self._busy))):
            if self._busy[row].finish_reason is not None:
                left.append(self._busy[row])
                _remember(self._busy[row])
                last = self._busy.pop()
                for session in (self._small, self._large):
                    session.truncate(row, 0)
                    session.move(len(self._busy), row)
                if row < len(self._busy):
                    self._busy[row] = last
        return left


def _remember(text: PairWriting) -> None:
    if text.lookup is not None and text.finish_reason != "cancelled":
        text.lookup.finish(text.prompt, text.tokens)


def _extend(
    session: TextRows, rows: Sequence[int], texts: Sequence[PairWriting], want: Sequence[int] | None = None
) -> Extension:
    """One forward over everything that the session's model has not read of the texts."""
    unseen = [text.known[session.lengths[row] :] for row, text in zip(rows, texts, strict=True)]
    return session.extend(rows, unseen, "last" if want is None else want)


def _draw(logits: Tensor, texts: Sequence[PairWriting]) -> Tensor:
    """(B,) ids from the small model's (B, V) logits."""
    proposals = logits.argmax(-1)
    for index, text in enumerate(texts):
        if text.sampling.temperature > 0:
            proposals[index] = text.sampler.draw(logits[index])
    return proposals


def _count_score(text: PairWriting, scorer: Scorer | None, num_texts: int) -> None:
    """Adds what a score cost, where so many texts are scored at once: the gate is read once for all."""
    if scorer is not None:
        traffic = scorer.traffic
        text.gate_bytes += traffic.weight_bytes // num_texts
        text.gate_flops += traffic.flops


def generate_pair(
    pair: Pair,
    method: Method,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling | None = None,
    *,
    num_rows: int = 8,
    on_text: Callable[[int, str], None] | None = None,
    memory: Memory | None = None,
) -> list[PairText]:
    """Writes a text for every prompt, at most `num_rows` at once, in the order of the prompts.

    Args:
        pair: the models.
        method: how they share the work.
        prompts: ids, one or more each.
        sampling: for all of them; greedy to the end token where None.
        num_rows: texts computed together.
        on_text: called with the prompt's index and each piece of its text that can no longer be rolled back.
        memory: what lookup learned before, which grows.

    Raises:
        BadRequest: see `PairBatch.submit`; nothing has been computed then.
    """
    sampling = sampling or Sampling()
    longest = max(map(len, prompts))
    wanted = pair.context_tokens if sampling.max_tokens is None else longest + sampling.max_tokens
    capacity_tokens = min(pair.context_tokens, wanted)
    batch = PairBatch(pair, method, min(num_rows, len(prompts)), capacity_tokens, memory=memory)
    return [text.result() for text in write_all(batch, prompts, sampling, on_text)]
