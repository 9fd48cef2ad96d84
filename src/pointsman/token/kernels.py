"""The small model's turn as one compiled call: step after step for all rows that still write.

A step of a very small model is 20 us of arithmetic, and ten times that in Python and torch: the forward's bookkeeping,
the proposal, the score, the decision. Here all of it is in the loop. What it decides is decided again by the caller,
from the same numbers; it only has to stop at the right place, and what it wrote beyond is dropped.
"""

import math
from typing import Any

import numpy as np

from pointsman.engine.kernels import attention, compiled, embed, exponential, mlp, multiply, normalised, store, wide

# Kinds of scores and of stop rules; `fast_turn.py` translates.
NO_SCORE, MAX_PROBABILITY, MARGIN, ENTROPY, GATE = range(5)
NEVER, BELOW, AFTER, HAZARD, UNLIKELY = range(5)
HIDDEN, CONFIDENCE, TOP_LOGITS, EMBEDDING, LENGTH = range(5)

_LEAST = np.float32(1e-9)
_ONE = np.float32(1)
_FAR = np.float32(-80)
"""Behind the best logit: what is further has no probability in float32."""


@compiled()
def confidence(logits: Any, told: Any) -> int:
    """The likeliest id; `told` gets what `gate._confidence` says, but the second's logarithm is not cut off."""
    best, second, likeliest = logits[0], np.float32(-np.inf), 0
    for v in range(1, logits.shape[0]):
        if logits[v] > best:
            best, second, likeliest = logits[v], best, v
        elif logits[v] > second:
            second = logits[v]
    total, weighted = np.float32(0), np.float32(0)
    for v in range(logits.shape[0]):
        behind = logits[v] - best
        if behind > _FAR:
            share = exponential(behind)
            total += share
            weighted += share * behind
    log_total = np.log(total)
    told[0] = -log_total
    told[1] = np.log(max(_ONE - _ONE / total, _LEAST))
    told[2] = second - best - log_total
    told[3] = weighted / total - log_total
    return likeliest


@compiled()
def _top(logits: Any, count: int, into: Any) -> None:
    """The largest logits, the best first."""
    for i in range(count):
        into[i] = np.float32(-np.inf)
    for v in range(logits.shape[0]):
        if logits[v] > into[count - 1]:
            place = count - 1
            while place > 0 and into[place - 1] < logits[v]:
                into[place] = into[place - 1]
                place -= 1
            into[place] = logits[v]


@compiled()
def _inputs(features: Any, hidden: Any, told: Any, logits: Any, row: Any, length: int, x: Any) -> None:
    """Lays a gate's features side by side; `row` is the proposal's embedding."""
    at = 0
    for feature in features:
        if feature == HIDDEN:
            for i in range(hidden.shape[0]):
                x[at + i] = hidden[i]
            at += hidden.shape[0]
        elif feature == CONFIDENCE:
            for i in range(4):
                x[at + i] = told[i]
            x[at + 2] = max(told[2], np.float32(math.log(1e-9)))
            at += 4
        elif feature == TOP_LOGITS:
            count = min(16, logits.shape[0])
            _top(logits, count, x[at : at + count])
            at += count
        elif feature == EMBEDDING:
            for i in range(row.shape[0]):
                x[at + i] = wide(row[i])
            at += row.shape[0]
        else:
            x[at] = np.float32(math.log1p(length))
            at += 1


@compiled()
def _gate_score(gate: Any, hidden: Any, told: Any, logits: Any, row: Any, length: int) -> Any:
    """`Gate.forward` of one row: both of its outputs, the second 0 where there is one only.

    The layers lie in one array, weights (out, in) and bias of each, so that all gates are one type and compiled once.
    """
    features, mean, scale, widths, layers, num_active, is_relu = gate
    x = np.empty(mean.shape[0], np.float32)
    _inputs(features, hidden, told, logits, row, length, x)
    for i in range(x.shape[0]):
        x[i] = (x[i] - mean[i]) / scale[i]
    at = 0
    for layer in range(widths.shape[0] - 1):
        inner, outer = widths[layer], widths[layer + 1]
        biases, y = at + inner * outer, np.empty(outer, np.float32)
        for o in range(outer):
            total = layers[biases + o]
            for i in range(inner):
                total += layers[at + o * inner + i] * x[i]
            if layer < num_active:
                total = max(total, np.float32(0)) if is_relu else _gelu(total)
            y[o] = total
        x, at = y, biases + outer
    harmless = _ONE / (_ONE + exponential(-x[1])) if x.shape[0] > 1 else np.float32(0)
    return _ONE / (_ONE + exponential(-x[0])), harmless


@compiled()
def _gelu(x: Any) -> Any:
    return np.float32(0.5) * x * (_ONE + np.float32(math.erf(x * np.float32(math.sqrt(0.5)))))


@compiled()
def _score(kind: int, gate: Any, hidden: Any, told: Any, logits: Any, row: Any) -> Any:
    unknown = np.float32(0)
    if kind == MAX_PROBABILITY:
        return exponential(told[0]), unknown
    if kind == MARGIN:
        return exponential(told[0]) - exponential(told[2]), unknown
    if kind == ENTROPY:
        return _ONE + told[3] / np.float32(math.log(logits.shape[0])), unknown
    if kind == GATE:
        return _gate_score(gate, hidden, told, logits, row, 0)
    return _ONE, unknown


@compiled()
def score(gate: Any, hidden: Any, logits: Any, embedding: Any, proposals: Any, lengths: Any, scores: Any) -> None:
    """`Gate.forward` of a few rows: fills both columns of `scores` (B, 2); `lengths` (B,) may be of any numbers."""
    told = np.empty(4, np.float32)
    for n in range(proposals.shape[0]):
        confidence(logits[n], told)
        row = embedding[proposals[n]]
        scores[n, 0], scores[n, 1] = _gate_score(gate, hidden[n], told, logits[n], row, lengths[n])


@compiled()
def _hands_over(rule: int, numbers: Any, score: float, survival: float, num_pending: int) -> Any:
    """`Stop.hands_over`; `numbers` are the rule's."""
    if rule == BELOW:
        return score < numbers[0]
    if rule == AFTER:
        return num_pending >= numbers[0]
    if rule == HAZARD:
        return (1 - survival > numbers[0] and num_pending >= numbers[1]) or num_pending >= numbers[2]
    if rule == UNLIKELY:
        return survival < numbers[0]
    return False


@compiled()
def _round_as(like: Any, x: Any) -> None:
    """Rounds `x` (N, M) in place as an array like `like` would store it: torch gives hidden states and logits so."""
    kept = np.empty(1, like.dtype)
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            store(kept, 0, x[n, i])
            x[n, i] = wide(kept[0])


@compiled()
def write(unread: Any, places: Any, spans: Any, model: Any, gate: Any, rule: Any, ends: Any, written: Any) -> None:
    """Writes greedily for B rows until each hands over, ends, or has no more room.

    Args:
        unread: what the model has not read of the rows, as N lines: ids, rows and slots, three of (N,) int64, and which
            line is each row's last, (B,) int64.
        places: rows of the cache, and the slots behind all of that, two of (B,) int64.
        spans: survival (B,) float64 and number (B,) int64 of what is pending, and the most tokens (B,) to write.
        model: embedding, norm, head, blocks, rope, eps and how many ids may be written; see `FewTokens.arrays`.
        gate: kind of score, and the gate's arrays.
        rule: kind of stop rule, its numbers (3,) float64, the most pending tokens, and the risk that is forgiven.
        ends: (n,) ids that end a text.
        written: ids (B, M) int64, both columns of the scores, two of (B, M) float64, and counts (B,) int64, which are
            filled.
    """
    tokens, line_rows, line_slots, last = unread
    (rows, slots), (survivals, pendings, limits), (kind, gate_arrays) = places, spans, gate
    embedding, norm, head, blocks, rope, eps, vocab = model
    stop, numbers, most_pending, forgives = rule
    ids, stands, harmless, counts = written
    active, told, latest = np.arange(rows.shape[0]), np.empty(4, np.float32), np.empty_like(rows)
    while active.shape[0] > 0:
        x = np.empty((tokens.shape[0], embedding.shape[1]), np.float32)
        embed(embedding, tokens, x)
        for block in blocks:
            attention(x, (line_rows, line_slots), block[0], rope, block[2], eps)
            mlp(x, block[1], eps)
        hidden = normalised(x[last], norm, eps)
        _round_as(embedding, hidden)
        logits = np.zeros((active.shape[0], head.shape[0]), np.float32)
        multiply(head, hidden, logits)
        _round_as(embedding, logits)
        goes_on = np.zeros(active.shape[0], np.bool_)
        for n in range(active.shape[0]):
            b = active[n]
            line = logits[n, :vocab]
            token = confidence(line, told)
            first, second = _score(kind, gate_arrays, hidden[n], told, line, embedding[token])
            ids[b, counts[b]], stands[b, counts[b]], harmless[b, counts[b]] = token, first, second
            score = float(first)
            if forgives > 0 and 1 - float(second) <= forgives:
                score = 1.0
            counts[b] += 1
            latest[b] = token
            survivals[b] *= score
            pendings[b] += 1
            is_end = counts[b] >= limits[b] or pendings[b] >= most_pending
            for end in ends:
                is_end = is_end or token == end
            goes_on[n] = not is_end and not _hands_over(stop, numbers, score, survivals[b], pendings[b])
        active = active[goes_on]
        tokens, line_rows, line_slots, last = latest[active], rows[active], slots[active], np.arange(active.shape[0])
        for b in active:
            slots[b] += 1
