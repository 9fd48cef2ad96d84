"""What becomes of a pending span once the large model has read it: greedy or drawn, judged, forgiven or exact."""

import torch
from torch import Tensor

from pointsman.engine import distribution
from pointsman.token.judges import Exact, Judge, verified
from pointsman.token.writing import PairWriting


def keeps_logits(judge: Judge | None, text: PairWriting) -> bool:
    """Whether the small model's logits of a pending token are looked at later."""
    return (judge is not None and judge.needs_small) or (isinstance(judge, Exact) and text.sampling.temperature > 0)


def judged(judge: Judge | None, text: PairWriting, p: Tensor) -> tuple[int, int]:
    """How many pending tokens stand, and the large model's token behind them; `p` is (k + 1, V) logits."""
    sampling = text.sampling
    if sampling.temperature > 0:
        rows = [distribution(row, sampling).cpu() for row in p]
        if isinstance(judge, Exact):
            q = [distribution(row, sampling).cpu() for row in text.pending_logits]
            drafted = torch.stack(q) if q else p.new_empty(0)
            return verified(torch.stack(rows), drafted, torch.tensor(text.pending, dtype=torch.long), text.generator)
        p = torch.stack(rows).log()
    num_kept = _num_kept(judge, text, p)
    if sampling.temperature == 0:
        return num_kept, int(p[num_kept].argmax())
    return num_kept, int(torch.multinomial(p[num_kept].exp(), 1, generator=text.generator))


def _num_kept(judge: Judge | None, text: PairWriting, p: Tensor) -> int:
    """How many pending tokens stand: up to the first that the judge rejects and that is not forgiven."""
    num_pending = len(text.pending)
    if judge is None or num_pending == 0:
        return 0
    tokens = text.pending
    q = torch.stack(text.pending_logits) if text.pending_logits else None

    def from_on(start: int) -> int:
        """The same, where everything before `start` stands."""
        return start + judge.num_kept(p[start:num_pending], tokens[start:], None if q is None else q[start:])

    num_kept = from_on(0)
    while num_kept < num_pending and text.pending_forgiven[num_kept]:
        num_kept += 1
        num_kept = from_on(num_kept) if num_kept < num_pending else num_kept
    return num_kept
