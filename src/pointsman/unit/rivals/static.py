"""Units that are left out for every token alike, or at random: what a router has to beat.

- `random`: each token leaves out each unit with one chance.
- `shortgpt`: whole layers, those that turn the stream least (block influence, Men et al., arXiv 2403.03853).
- `static`: the same forecasters as ours, always the same options: those of least harm by bytes saved, chosen greedily
  by the divergence that is measured, which is the control that published comparisons leave out.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional

from pointsman.engine import Branch, Decoder
from pointsman.unit.distilling import Lessons, warmed_cosine
from pointsman.unit.evaluation import Setting, measure
from pointsman.unit.prices import PARTS, Prices
from pointsman.unit.router import Router, Tariff, counted
from pointsman.unit.routing import Taken
from pointsman.unit.texts import Texts
from pointsman.unit.whole import WholeAttend, divergence, logits_of


class Scripted:
    """An `Execute` for whole sequences that takes given options. Use once.

    Args:
        tariff: what they cost.
        texts: what is read.
        options: (N,) of each unit for the routed tokens, the last one executes.
        router: whose forecasts stand in, or None where nothing does.
        evicts: see `Taken`; for layers that no token executes.
    """

    def __init__(
        self,
        tariff: Tariff,
        texts: Texts,
        options: Sequence[Tensor],
        router: Router | None,
        *,
        evicts: bool = False,
    ) -> None:
        self.taken, self.attend = Taken(tariff, texts.is_routed, evicts=evicts), WholeAttend()
        self._options, self._router = options, router

    def __call__(self, unit: int, u: Tensor, branch: Branch) -> Tensor:
        """See `Execute`."""
        is_routed, options = self.taken.is_routed, self._options[unit]
        num_options = len(self.taken.tariff.options[unit])
        selection = functional.one_hot(options, num_options).to(u)
        self.taken.add(unit, selection)
        executed = branch(u)
        y = selection[:, -1:] * executed[is_routed]
        if self._router is not None:
            forecaster, routed = self._router.forecaster(unit), u[is_routed]
            z = forecaster.latent(routed)
            for option in range(forecaster.num_forecasts):
                if (options == option).any():
                    y = y + selection[:, option : option + 1] * forecaster.forecast(routed, z, option)
        return executed.index_put((is_routed,), y)


def skipping_tariff(decoder: Decoder) -> Tariff:
    """Of leaving out without anything in its place; keys and values are still computed."""
    prices = Prices.of(decoder)
    attention = torch.stack((counted(keys_values=1, decided=False), counted(attention=1, decided=False)))
    mlp = torch.stack((counted(decided=False), counted(mlp=1, decided=False)))
    return Tariff(prices, (attention, mlp) * prices.num_layers)


def ungated(tariff: Tariff, router: Router) -> Tariff:
    """A router's prices without its gates and, where a unit is executed, without the latent: nobody reads them then."""
    values, decision = PARTS.index("value"), PARTS.index("decision")
    quantities = []
    for unit, its in enumerate(tariff.quantities):
        cheaper = its.clone()
        cheaper[:, values] -= sum(parameter.numel() for parameter in router.gate(unit).parameters())
        cheaper[-1, values] -= router.forecaster(unit).down.numel()
        cheaper[:, decision] = 0
        quantities.append(cheaper)
    return Tariff(tariff.prices, tuple(quantities))


def random_setting(decoder: Decoder, chance: float, seed: int = 0) -> Setting:
    """Every token leaves out every unit with this chance."""
    tariff = skipping_tariff(decoder)
    generator = torch.Generator().manual_seed(seed)

    def make(texts: Texts) -> Scripted:
        draws = torch.rand(tariff.prices.num_units, texts.num_routed, generator=generator)
        return Scripted(tariff, texts, list((draws >= chance).long()), None)

    return Setting("random", chance, make)


def layer_influence(decoder: Decoder, texts: Texts) -> list[float]:
    """By layer: how far it turns the stream, 1 less the mean cosine of what goes in and out over routed tokens."""
    streams: list[Tensor] = []

    def watch(unit: int, u: Tensor, branch: Branch) -> Tensor:  # noqa: ARG001  see `Execute`
        y = branch(u)
        streams.append(streams[-1] + y)
        return y

    streams.append(functional.embedding(texts.tokens, decoder.embedding))
    with torch.no_grad():
        logits_of(decoder, texts.tokens, watch, at=texts.is_routed)
    ends = [stream[texts.is_routed] for stream in streams[::2]]
    return [float(1 - functional.cosine_similarity(before, after, -1).mean()) for before, after in pairwise(ends)]


def shortgpt_settings(decoder: Decoder, texts: Texts) -> list[Setting]:
    """One layer less at a time, the least influential first."""
    influence = layer_influence(decoder, texts)
    order = sorted(range(len(influence)), key=influence.__getitem__)
    tariff = skipping_tariff(decoder)
    no_keys = Tariff(tariff.prices, tuple(torch.stack((0 * its[0], its[1])) for its in tariff.quantities))

    def setting(count: int) -> Setting:
        gone = {2 * layer + part for layer in order[:count] for part in (0, 1)}

        def make(texts: Texts) -> Scripted:
            options = [torch.full((texts.num_routed,), int(unit not in gone)) for unit in range(2 * len(order))]
            return Scripted(no_keys, texts, options, None, evicts=True)

        return Setting("shortgpt", float(count), make)

    return [setting(count) for count in range(1, len(order))]


def static_setting(tariff: Tariff, router: Router, options: Sequence[int]) -> Setting:
    """The same options for every token; its dial is the bytes of weights that it saves."""

    def make(texts: Texts) -> Scripted:
        return Scripted(tariff, texts, [torch.full((texts.num_routed,), option) for option in options], router)

    saved = sum(float(prices[-1] - prices[option]) for prices, option in zip(tariff.options, options, strict=True))
    return Setting("static", saved, make)


def static_path(
    decoder: Decoder, router: Router, tariff: Tariff, texts: Texts, on_step: Callable[[int], None] = lambda _: None
) -> list[list[int]]:
    """Options of all units, from everything executed on one cheaper at a time, each the least harm by byte on `texts`.

    `tariff` is `ungated`. Every candidate is measured, so this takes (units x options)^2 / 2 small measurements.
    """
    options = [len(prices) - 1 for prices in tariff.options]
    path: list[list[int]] = []
    saved = lost = 0.0
    while candidates := _cheaper(options):
        measured = measure(decoder, texts, [static_setting(tariff, router, candidate) for candidate in candidates])
        slopes = [(one.mean_divergence - lost) / max(one.dial - saved, 1.0) for one in measured]
        best = min(range(len(candidates)), key=slopes.__getitem__)
        options, saved, lost = candidates[best], measured[best].dial, measured[best].mean_divergence
        path.append(options)
        on_step(len(path))
    return path


def taught_static(
    decoder: Decoder,
    router: Router,
    tariff: Tariff,
    options: Sequence[int],
    texts: Texts,
    lessons: Lessons,
) -> Setting:
    """The same options for every token, with forecasters that were taught for these alone, as long as ours are.

    The lessons are those of `distilling.py` without the price, which is fixed.
    """
    own = deepcopy(router).requires_grad_(True)
    setting = static_setting(tariff, own, options)
    optimizer, texts = torch.optim.Adam(own.parameters(), lessons.peak_lr), texts.by_length()
    for step in range(lessons.steps):
        batch = texts.drawn(lessons.num_rows, torch.Generator().manual_seed(lessons.seed * 1_000_003 + step))
        at, execute = batch.is_routed, setting.make(batch)
        with torch.no_grad():
            p = logits_of(decoder, batch.tokens, at=at).log_softmax(-1)
        q = logits_of(decoder, batch.tokens, execute, execute.attend, at).log_softmax(-1)
        optimizer.zero_grad()
        divergence(p, q).mean().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(own.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = lessons.peak_lr * warmed_cosine(step / lessons.steps)
        optimizer.step()
    own.requires_grad_(False)
    return replace(setting, name="static, taught")


def _cheaper(options: Sequence[int]) -> list[list[int]]:
    """Every way to take the next cheaper option at one unit."""
    return [[*options[:unit], option - 1, *options[unit + 1 :]] for unit, option in enumerate(options) if option > 0]
