"""``pointsman fit token``: from tasks to every gate of a pair.

Every gate learns from the same tasks:

    citer-s    along right texts, 1 where the small model's token is the text's
    citer      the same, but what neither model would write is tried; in the second round under the first round's gate
    co-llm     along right texts, by marginal likelihood, a linear probe
    r2r        along the large model's own right texts, 0 where the small model's token changes the answer
    specdec++  on spans of a fixed length: the chance that speculative sampling accepts a token
    outlook    before texts: whether the small model alone answers rightly, and how many calls they take; with pointsman
    pointsman  on policy: what the large model lets stand of spans that the small one wrote; in the second round under
               the gate of the first. Where it would not let a token stand, whether the answer is lost by it: along its
               own right texts, in the second round along those that both wrote
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from pointsman.core import BadRequest
from pointsman.engine.store import Store
from pointsman.engine.weights import weights_hash
from pointsman.token import labels
from pointsman.token.calibration import NAME, Promise, calibrate
from pointsman.token.collecting import Collector, Progress, Settings, stands_under
from pointsman.token.evaluation import measure
from pointsman.token.gate import Gate, GateCard, GateShape, Observed, load_gate, save_gate
from pointsman.token.judges import Bounded
from pointsman.token.lineup import derived, path
from pointsman.token.method import ALWAYS, MOST_CALLS, Method, ours, routed
from pointsman.token.pair import Pair
from pointsman.token.prices import Currency, best_threshold, counted_prices, gate_seconds, measured_prices
from pointsman.token.states import States
from pointsman.token.stops import After
from pointsman.token.tasks import Task
from pointsman.token.training import (
    Loss,
    Trained,
    cross_entropy,
    marginal_likelihood,
    of_two,
    rejection_weighted,
    train_gate,
)

Kind = Literal["citer-s", "citer", "co-llm", "r2r", "specdec++", "outlook", "pointsman"]
KINDS: tuple[Kind, ...] = ("citer-s", "citer", "co-llm", "r2r", "specdec++", "outlook", "pointsman")

CITER_TAU = 0.95
"""Under which the second round's rollouts run, as in its release."""

POLICY_RISK = 0.02
"""For a call that is saved, on texts from which the second round learns. Chosen: more than was ever certified."""

LOOKUP_TASKS = 256
"""Tasks over which lookup is tried."""

LOOKUPS = (0.95, 0.9, 0.8, 0.6, 0.4)
"""Chances from which what was looked up is taken."""

LEAST_SAVED = 0.01
"""Share of the bytes that lookup has to save, since it takes time of its own. Chosen."""

SPAN_TOKENS = 12
"""Tokens of the spans from which the first round learns on policy. Chosen: three times what stands on the average."""


def gate_shape(kind: Kind, hidden_size: int) -> GateShape:
    """CITER's gate is that of its release, its norm replaced by scaled inputs; R2R's is scaled down to the model.

    SpecDec++'s has as many layers as its release, without what jumps over them.
    """
    match kind:
        case "citer" | "citer-s":
            return GateShape(("hidden",), (2 * hidden_size, hidden_size), "relu", is_linear_at_the_end=True)
        case "co-llm":
            return GateShape(("hidden",), ())
        case "r2r":
            return GateShape(("top_logits", "hidden", "embedding"), (4 * hidden_size, 4 * hidden_size))
        case "specdec++":
            return GateShape(("hidden",), (hidden_size,) * 3)
        case "outlook":
            return GateShape(("hidden", "confidence", "embedding", "length"), (64, 32), outputs=2)
        case "pointsman":
            return GateShape(("hidden", "confidence", "embedding"), (64, 32), outputs=2)


class Fit:
    """One fit. `run` does all of it; each part is there for tests and for those who want one gate.

    Args:
        pair: the models.
        tasks: prompts with checks; those without a reference get the large model's own text where it is right.
        settings: everything else.
        folder: gets a folder for each gate, and `work` for what is half done.
        progress: who watches.
        calibration: other tasks, on which the dials of ours are certified; none for dials that check everything.
        promise: what they have to keep.
        currency: in which ours hands over where that is cheapest; seconds are measured on this machine.
    """

    def __init__(
        self,
        pair: Pair,
        tasks: Sequence[Task],
        settings: Settings,
        folder: Path,
        progress: Progress,
        calibration: Sequence[Task] = (),
        promise: Promise | None = None,
        currency: Currency = "bytes",
    ) -> None:
        self.pair, self.settings, self.folder, self._progress = pair, settings, folder, progress
        self._hashes = weights_hash(pair.small.decoder), weights_hash(pair.large.decoder)
        self._tasks, self._calibration, self._promise = list(tasks), calibration, promise or Promise()
        self._currency: Currency = currency
        told = [settings, self._hashes, [(task.prompt, task.reference) for task in tasks]]
        store = Store(folder / "work", sha256(repr(told).encode()).hexdigest())
        self._collected = Collector(pair, self._tasks, settings, store, progress)

    def run(self, kinds: Sequence[Kind] = KINDS) -> None:
        """Fits the gates that are named, each after what it needs.

        Raises:
            BadRequest: `no_right_texts` where no task has a reference and the large model answers none rightly.
        """
        if {"citer", "citer-s", "co-llm"} & set(kinds):
            self._fit_along(_required(self._guided()), kinds)
        if "r2r" in kinds:
            self._fit_r2r(_required([task for task in self._own_texts() if task is not None]))
        if "specdec++" in kinds:
            spans = self._fixed_spans()
            self._fit("specdec++", spans.observed, spans.text, rejection_weighted(spans.accepted), spans.accepted)
        if {"outlook", "pointsman"} & set(kinds):
            self._fit_ours()

    def _guided(self) -> list[Task]:
        """The tasks with references, of which the large model's own texts are some where none is known."""
        if all(task.reference for task in self._tasks):
            return self._tasks
        pairs = zip(self._tasks, self._own_texts(), strict=True)
        return [task for given, own in pairs if (task := given if given.reference else own) is not None]

    def _own_texts(self) -> list[Task | None]:
        """Each task with the large model's own text as its reference, or None where that is wrong."""
        return self._collected.texts("own", self._tasks, labels.alone(self.pair.large, self._collected.sampling))

    def _written(self, name: str, tasks: Sequence[Task], method: Method) -> list[Task]:
        """The tasks with the texts of both models as references, those that are right."""
        texts = self._collected.texts(name, tasks, labels.together(self.pair, method, self._collected.sampling))
        return [task for task in texts if task is not None]

    def _fit_along(self, tasks: Sequence[Task], kinds: Sequence[Kind]) -> None:
        """Gates from states along right texts."""
        alone = labels.alone(self.pair.small)
        states, first = self._collected.labelled(
            "along", tasks, lambda part, seen: labels.long_term(self.pair, part, seen, alone)
        )
        short, seen = labels.short_term(states), (states.observed, states.text)
        if "citer-s" in kinds:
            self._fit("citer-s", *seen, cross_entropy(short), short)
        if "co-llm" in kinds:
            self._fit("co-llm", *seen, marginal_likelihood(states), short)
        if "citer" not in kinds:
            return
        targets = first
        gate = self._fit("citer", *seen, cross_entropy(targets), targets, round_number=1)
        for number in range(2, self.settings.rounds + 1):
            finish = labels.together(self.pair, routed("citer", gate, CITER_TAU))
            _, targets = self._collected.labelled(
                f"along-{number}",
                tasks,
                lambda part, seen, by=finish: labels.long_term(self.pair, part, seen, by),  # type: ignore[misc]
            )
            gate = self._fit("citer", *seen, cross_entropy(targets), targets, round_number=number)

    def _fit_r2r(self, tasks: Sequence[Task]) -> None:
        states, targets = self._diverging(tasks)
        num_right = float(targets.sum())
        weight = (len(targets) - num_right) / max(num_right, 1.0)  # as in its release, where divergence is the positive
        self._fit("r2r", states.observed, states.text, cross_entropy(targets, weight), targets)

    def _diverging(self, tasks: Sequence[Task]) -> tuple[States, Tensor]:
        """States along the large model's own texts, and whether the small one's token is right there too."""
        return self._collected.labelled(
            "own-states", tasks, lambda part, seen: labels.divergence(self.pair, part, seen)
        )

    def _fixed_spans(self) -> States:
        """What both models say along spans of one length that the small one wrote."""
        judge = Bounded(self.settings.tolerance)
        return self._collected.on_policy(
            "policy-1", Method("spans", After(SPAN_TOKENS), judge=judge, keeps_last=True, end_safety=ALWAYS)
        )

    def _fit_ours(self) -> None:
        """On policy: first fixed spans and the large model's own texts, then spans and texts of the gate so far."""
        tolerance, own = self.settings.tolerance, [task for task in self._own_texts() if task is not None]
        spans = self._fixed_spans()
        collected, harmless = [spans], [self._diverging(own)] if own else []
        for number in range(1, self.settings.rounds + 1):
            gate = self._fit_two(collected, harmless, number)
            least_survival = self._threshold(gate, spans)
            if number < self.settings.rounds:
                method = ours(gate, least_survival, tolerance, POLICY_RISK)
                collected.append(self._collected.on_policy(f"policy-{number + 1}", method))
                if own:
                    harmless.append(self._harmless(f"harmless-{number + 1}", method))
        outlook = self._fit_outlook(collected[-1])
        self._certify(gate, outlook, least_survival)

    def _fit_outlook(self, judged: States) -> Gate:
        """From every prompt; `judged` are the last spans on policy, of which each took a call."""
        seen, right, task = self._collected.outlooks()
        calls = torch.bincount(judged.text[judged.place == 0], minlength=len(self._tasks))[task]
        loss = of_two(right, (calls / MOST_CALLS).clamp(max=1))
        return self._fit("outlook", seen, task, loss, right)

    def _fit_two(
        self, collected: Sequence[States], harmless: Sequence[tuple[States, Tensor]], round_number: int
    ) -> Gate:
        """One gate of both outputs, each from the states where its label is known; of one without right texts.

        An output that was taught nothing would forgive anything.
        """
        judged = States.joined(collected)
        judged = judged.at(judged.reached)
        stands = [stands_under(judged, self.settings.tolerance)]
        is_harmless = [torch.full_like(stands[0], torch.nan)]
        parts = [judged]
        for states, right in harmless:
            differs = (states.proposals != states.best) & ~right.isnan()
            parts.append(states.at(differs))
            is_harmless.append(right[differs])
            stands.append(torch.full_like(right[differs], torch.nan))
        states, targets = States.joined(parts), torch.cat(stands)
        loss = of_two(targets, torch.cat(is_harmless)) if harmless else cross_entropy(targets)
        outputs = 2 if harmless else 1
        return self._fit("pointsman", states.observed, states.text, loss, targets, round_number, outputs)

    def _harmless(self, name: str, method: Method) -> tuple[States, Tensor]:
        """States along texts that both models write, and what comes of the small one's token: see `labels.harmless`."""
        tasks = self._written(f"{name}-texts", self._tasks[: self.settings.rollout_tasks], method)
        return self._collected.labelled(name, tasks, lambda part, seen: labels.harmless(self.pair, part, seen))

    def _certify(self, gate: Gate, outlook: Gate, least_survival: float) -> None:
        """Adds the dials to the description of the gate."""
        folder, gates = self.folder / NAME, {NAME: gate, "outlook": outlook}
        _, card = load_gate(folder, self.pair)
        derived_here = {"least_survival": least_survival, "best_lookup": self._best_lookup(gate, least_survival)}
        figures = {**card.figures, **derived_here}
        card = replace(card, figures=figures)
        if self._calibration:
            self._progress.begin("certifying dials", 0)
            tell = partial(self._progress.advance, 0)
            card = calibrate(self.pair, gates, card, self._calibration, self._promise, on_tried=tell)
        else:
            strict = path(*derived(figures))[1]
            card = replace(card, figures={**card.figures, **strict, "certified": 0.0})
        save_gate(folder, gate, card)

    def _best_lookup(self, gate: Gate, least_survival: float) -> float:
        """The chance from which looking up is cheapest over some of the tasks; 1 where it saves next to nothing."""

        def moved(lookup: float) -> int:
            method = ours(gate, least_survival, self.settings.tolerance, 0.0, lookup=lookup)
            return measure(self.pair, method, {}, self._tasks[:LOOKUP_TASKS], 32).total_bytes

        nothing, (fewest, best) = moved(1.0), min((moved(lookup), lookup) for lookup in LOOKUPS)
        return best if fewest <= (1 - LEAST_SAVED) * nothing else 1.0

    def _threshold(self, gate: Gate, spans: States) -> float:
        """The survival at which handing over is cheapest, from the fixed spans of the first round."""
        context = int(sum(len(task.prompt) for task in self._tasks) / len(self._tasks)) + SPAN_TOKENS
        if self._currency == "seconds":
            prices = measured_prices(self.pair, gate_seconds(gate, self.pair.small.config), context)
        else:
            prices = counted_prices(self.pair, gate.traffic, self._currency, context)
        return best_threshold(prices, *scored_spans(gate, spans, self.settings.tolerance))[0]

    def _fit(
        self,
        kind: Kind,
        seen: Observed,
        text: Tensor,
        loss: Loss,
        targets: Tensor,
        round_number: int = 1,
        outputs: int | None = None,
    ) -> Gate:
        shape = gate_shape(kind, self.pair.small.config.hidden_size)
        gate = Gate(shape if outputs is None else replace(shape, outputs=outputs), self.pair.small)
        self._progress.begin(f"training {kind}, round {round_number}", 0)
        trained = train_gate(
            gate,
            seen,
            text,
            loss,
            targets,
            seed=self.settings.seed,
            on_epoch=lambda epoch, found: self._progress.advance(0, f"pass {epoch}, loss {found:.4f}"),
        )
        is_last = round_number == self.settings.rounds or kind not in ("citer", "pointsman")
        name = kind if is_last else f"{kind}-{round_number}"
        save_gate(self.folder / name, gate, self._card(kind, gate, targets, trained, round_number))
        return gate

    def _card(self, kind: Kind, gate: Gate, targets: Tensor, trained: Trained, round_number: int) -> GateCard:
        figures = {
            "labels": float(len(targets)),
            "labels_that_stand": float(targets.nanmean()),
            "held_out_loss": trained.loss,
            "held_out_area": trained.area,
            "round": float(round_number),
            "taught_tolerance": self.settings.tolerance,
        }
        return GateCard(kind, gate.shape, *self._hashes, self.settings.data, figures)


def scored_spans(gate: Gate, spans: States, tolerance: float) -> tuple[list[Tensor], list[Tensor]]:
    """The gate's scores along recorded spans, and what was let stand, for `prices.best_threshold`."""
    with torch.inference_mode():
        scores = gate.logit(gate.inputs(spans.observed))[:, 0].sigmoid()
    begins = (spans.place == 0).nonzero()[:, 0].tolist()
    sizes = [end - begin for begin, end in zip(begins, [*begins[1:], len(spans)], strict=True)]
    stands = stands_under(spans, tolerance) > 0.5
    return list(torch.split(scores, sizes)), list(torch.split(stands, sizes))


def _required(tasks: list[Task]) -> list[Task]:
    if not tasks:
        problem = "the large model answers none of the tasks rightly; there is nothing to learn from"
        raise BadRequest(problem, code="no_right_texts")
    return tasks
