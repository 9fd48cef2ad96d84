"""Published routers and controls: each decides as its paper says, pays what it reads, and learns something."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine import Branch
from pointsman.engine.model import Decoder
from pointsman.unit import Lessons, Router, Texts, measure, of_stream, tariff
from pointsman.unit.evaluation import Setting
from pointsman.unit.prices import Prices
from pointsman.unit.rivals.fitted import fit_published, load_published
from pointsman.unit.rivals.published import FIRST_TOKENS, KINDS, Kind, Noise, Published, PublishedExecute, tariff_of
from pointsman.unit.rivals.static import (
    Scripted,
    layer_influence,
    random_setting,
    shortgpt_settings,
    skipping_tariff,
    static_path,
    static_setting,
    taught_static,
    ungated,
)
from pointsman.unit.rivals.training import PublishedTraining, Recipe, meet, published_setting
from pointsman.unit.rivals.tuning import adapted
from pointsman.unit.whole import logits_of

MakeDecoder = Callable[..., Decoder]
MakeRouter = Callable[..., Router]
QUICK = Recipe(steps=6, forecaster_steps=12, num_rows=4)


def stream(count: int, seed: int, width: int = 16) -> Texts:
    generator = torch.Generator().manual_seed(seed)
    return of_stream(torch.randint(2, 60, (count * width + 1,), generator=generator).tolist(), width)


@pytest.fixture
def decoder(make_decoder: MakeDecoder) -> Decoder:
    return make_decoder(num_layers=4).requires_grad_(False)


def executed(published: Published, decoder: Decoder, texts: Texts) -> list[torch.Tensor]:
    """(B, T) bool by unit."""
    execute = PublishedExecute(
        published, decoder, tariff_of(published, Prices.of(decoder)), texts.tokens, texts.is_routed
    )
    logits_of(decoder, texts.tokens, execute, execute.attend)
    return [execute.taken.by_text(options) == 1 for options in execute.taken.options]


@pytest.mark.parametrize("kind", KINDS)
def test_all_executed_is_the_model(decoder: Decoder, kind: Kind) -> None:
    published = Published(kind, decoder).requires_grad_(False)
    published.offset.fill_(1e4)
    texts = stream(3, 0)
    (found,) = measure(decoder, texts, [published_setting(decoder, published, 1.0)])
    assert found.mean_divergence == pytest.approx(0, abs=1e-5)
    assert all(units.all() for units in executed(published, decoder, texts))


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_is_met_by_the_offset(decoder: Decoder, kind: Kind) -> None:
    torch.manual_seed(0)
    published = Published(kind, decoder).requires_grad_(False)
    moved = meet(decoder, published, stream(12, 0), 0.8)
    assert moved == pytest.approx(0.8, abs=0.03)


def test_whole_layers_go_together_and_the_first_tokens_stay(decoder: Decoder) -> None:
    torch.manual_seed(0)
    published = Published("d-llm", decoder).requires_grad_(False)
    published.offset.fill_(-1e4)
    units = executed(published, decoder, stream(2, 0))
    for layer in range(4):
        attention, mlp = units[2 * layer], units[2 * layer + 1]
        assert torch.equal(attention, mlp)
        assert attention[:, :FIRST_TOKENS].all()
        assert attention[:, FIRST_TOKENS:].any() == (layer == 0), "only the first layer is always executed"


def test_every_other_layer_takes_its_best_tokens(decoder: Decoder) -> None:
    torch.manual_seed(0)
    published = Published("mod", decoder).requires_grad_(False)
    published.offset.fill_(-1.0986)  # a quarter
    units = executed(published, decoder, stream(2, 0))
    counts = [unit.sum(1).tolist() for unit in units]
    assert counts == [[16, 16]] * 2 + [[4, 4]] * 2 + [[16, 16]] * 2 + [[4, 4]] * 2


def test_routers_of_a_block_read_its_input_where_published_so(decoder: Decoder) -> None:
    """SkipGPT's routers see the stream before the block: what the attention did cannot change the MLP's choice."""
    torch.manual_seed(0)
    texts = stream(2, 0)
    for kind, depends in (("skipgpt", False), ("informed", True)):
        published = Published(kind, decoder).requires_grad_(False)
        meet(decoder, published, texts, 0.8, rounds=6)
        with torch.no_grad():
            for parameter in published.routers[0].parameters():
                parameter.zero_()  # the first attention: executed, by its offset alone
        choices = []
        for offset in (5.0, -5.0):
            execute = PublishedExecute(
                published, decoder, tariff_of(published, Prices.of(decoder)), texts.tokens, texts.is_routed
            )
            published.offset.fill_(0.0)
            with torch.no_grad():
                bias = list(published.routers[0].parameters())[-1]
                bias.copy_(torch.tensor([0.0, offset]))
            logits_of(decoder, texts.tokens, execute, execute.attend)
            choices.append(execute.taken.options[1])
        assert torch.equal(*choices) != depends, kind


def test_what_is_left_out_costs_nothing_but_its_router(decoder: Decoder) -> None:
    prices = Prices.of(decoder)
    for kind in KINDS:
        published = Published(kind, decoder)
        options = tariff_of(published, Prices.of(decoder)).options
        router = 4 * sum(parameter.numel() for parameter in published.routers[5].parameters())
        lff = 4 * sum(p.numel() for p in published.forecasters[5].parameters()) if kind == "informed" else 0
        assert options[5].tolist() == [router + lff, router + prices.mlp]
        keys = prices.keys_values if kind in ("informed", "skipgpt") else 0
        assert options[4][0].item() >= keys


def test_noise_makes_gradients_and_its_absence_none(decoder: Decoder) -> None:
    texts = stream(2, 0)
    for kind in KINDS:
        torch.manual_seed(0)
        published = Published(kind, decoder)
        published.offset.fill_(0.0)
        noise = Noise(1.0, torch.Generator().manual_seed(0))
        execute = PublishedExecute(
            published, decoder, tariff_of(published, Prices.of(decoder)), texts.tokens, texts.is_routed, noise
        )
        logits_of(decoder, texts.tokens, execute, execute.attend).square().mean().backward()
        gradients = [parameter.grad for parameter in published.routers.parameters()]
        assert any(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients), kind


def test_forecasters_learn_what_units_do(decoder: Decoder) -> None:
    torch.manual_seed(0)
    published, texts = Published("informed", decoder), stream(30, 0)

    def error() -> float:
        found: list[float] = []

        def watch(unit: int, u: torch.Tensor, branch: Branch) -> torch.Tensor:
            y = branch(u)
            found.append(float((published.forecasters[unit](u) - y).square().mean()))
            return y

        with torch.no_grad():
            logits_of(decoder, texts.tokens, watch)
        return sum(found)

    before = error()
    recipe = Recipe(steps=0, forecaster_steps=60, num_rows=8, forecaster_lr=1e-2)
    PublishedTraining(decoder, published, texts, 0.75, recipe).train()
    assert error() < 0.9 * before


@pytest.mark.parametrize("kind", KINDS)
def test_fitted_rivals_are_files_beside_ours(
    decoder: Decoder, make_decoder: MakeDecoder, tmp_path: Path, kind: Kind
) -> None:
    steps: list[int] = []
    moved = fit_published(kind, decoder, stream(20, 0), stream(8, 1), 0.8, tmp_path, QUICK, steps.append)
    assert moved == pytest.approx(0.8, abs=0.03)
    assert steps[-1] == 6 + 12 * (kind == "informed")
    fit_published(kind, decoder, stream(20, 0), stream(8, 1), 0.8, tmp_path, QUICK, steps.append)
    assert steps[-1] == len(steps), "what was trained is not trained again"
    others = list[int]()
    for seed in (0, 3):
        fit_published(kind, decoder, stream(20, seed), stream(8, 1), 0.8, tmp_path / "again", QUICK, others.append)
    assert len(others) == 2 * len(steps), "other texts are another fit"
    (fitted,) = load_published(tmp_path, decoder)
    assert (fitted.published.kind, fitted.budget, fitted.copy) == (kind, 0.8, None)
    (found,) = measure(decoder, stream(8, 1), [fitted.setting(decoder)])
    assert found.moved_share == pytest.approx(moved, rel=1e-6)
    with pytest.raises(BadRequest) as caught:
        load_published(tmp_path, make_decoder(num_layers=4, seed=1))
    assert caught.value.code == "router_of_another_model"
    (tmp_path / "rivals" / f"{kind}-0.8.safetensors").write_bytes(b"nothing")
    with pytest.raises(BadRequest) as caught:
        load_published(tmp_path, decoder)
    assert caught.value.code == "invalid_router"


def test_lora_changes_queries_values_and_gates_only(decoder: Decoder) -> None:
    texts = stream(3, 0)
    copy, changes = adapted(decoder)
    with torch.no_grad():
        assert torch.equal(logits_of(copy, texts.tokens), logits_of(decoder, texts.tokens)), "it begins as the model"
        for parameter in changes.parameters():
            parameter.normal_(0.0, 0.1)
    config = decoder.config
    queries, keys = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    for layer in range(config.num_layers):
        changed, own = copy.block(layer), decoder.block(layer)
        rows = (changed.attention.qkv != own.attention.qkv).any(1)
        assert rows.tolist() == [True] * queries + [False] * keys + [True] * keys
        rows = (changed.mlp.gate_up != own.mlp.gate_up).any(1)
        assert rows.tolist() == [True] * config.intermediate_size + [False] * config.intermediate_size
        assert torch.equal(changed.mlp.down, own.mlp.down)


def test_a_model_is_tuned_to_its_router(decoder: Decoder, tmp_path: Path) -> None:
    """The router stays as it was fitted, the budget is met again, and the texts that were learned get likelier."""
    texts, kept, recipe = stream(20, 0), stream(8, 1), Recipe(steps=60, forecaster_steps=1, num_rows=8)
    fit_published("skipgpt", decoder, texts, kept, 0.8, tmp_path, recipe)
    moved = fit_published("skipgpt", decoder, texts, kept, 0.8, tmp_path, recipe, lora=True)
    plain, tuned = sorted(load_published(tmp_path, decoder), key=lambda fitted: fitted.copy is not None)
    assert torch.equal(plain.published.routers[0].weight, tuned.published.routers[0].weight)  # type: ignore[arg-type]
    settings = [fitted.setting(decoder) for fitted in (plain, tuned)]
    assert [setting.name for setting in settings] == ["skipgpt", "skipgpt + LoRA"]
    before, after = measure(decoder, texts, settings)
    assert after.perplexity_ratio < before.perplexity_ratio
    assert measure(decoder, kept, settings)[1].moved_share == pytest.approx(moved, rel=1e-6)
    assert moved == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize("budget", [0.0, 1.0, 1.5])
def test_a_rivals_budget_is_a_share(decoder: Decoder, tmp_path: Path, budget: float) -> None:
    with pytest.raises(BadRequest) as caught:
        fit_published("skipgpt", decoder, stream(20, 0), stream(8, 1), budget, tmp_path, QUICK)
    assert caught.value.code == "invalid_budget"


def test_random_units_move_what_their_chance_says(decoder: Decoder) -> None:
    prices = Prices.of(decoder)
    (found,) = measure(decoder, stream(60, 0), [random_setting(decoder, 0.5)])
    left_out = 0.5 * 4 * (prices.attention - prices.keys_values + prices.mlp)
    reads = 0.5 * 4 * prices.slot * 7.5
    assert found.moved_share == pytest.approx(1 - (left_out + reads) / prices.dense(7.5), abs=0.01)


def test_the_layer_that_turns_the_stream_least_goes_first(decoder: Decoder) -> None:
    texts = stream(8, 0)
    with torch.no_grad():
        decoder.block(2).attention.out.mul_(1e-4)
        decoder.block(2).mlp.down.mul_(1e-4)
    influence = layer_influence(decoder, texts)
    assert len(influence) == 4
    assert min(range(4), key=influence.__getitem__) == 2
    settings = shortgpt_settings(decoder, texts)
    measured = measure(decoder, texts, settings)
    assert [setting.dial for setting in settings] == [1, 2, 3]
    assert measured[0].mean_divergence < 0.01 < measured[2].mean_divergence
    assert measured[0].moved_share > measured[1].moved_share > measured[2].moved_share


def test_static_options_go_one_by_one_to_the_cheapest(decoder: Decoder, make_router: MakeRouter) -> None:
    router = make_router(decoder)
    prices = ungated(tariff(Prices.of(decoder), router), router)
    path = static_path(decoder, router, prices, stream(2, 0))
    assert len(path) == 4 * (1 + 3)
    assert path[-1] == [0] * 8
    settings = [static_setting(prices, router, options) for options in path]
    moved = [one.moved_share for one in measure(decoder, stream(2, 1), settings)]
    assert moved == sorted(moved, reverse=True)


def test_static_units_are_taught(decoder: Decoder, make_router: MakeRouter) -> None:
    """Their forecasts get closer to the model, the options stay, and the router that they began from is left alone."""
    router, texts = make_router(decoder), stream(20, 0)
    before = {name: tensor.clone() for name, tensor in router.state_dict().items()}
    prices, options = ungated(tariff(Prices.of(decoder), router), router), [1, 2, 0, 3, 1, 1, 1, 0]
    plain = static_setting(prices, router, options)
    taught = taught_static(decoder, router, prices, options, texts, Lessons(steps=40, num_rows=8))
    first, second = measure(decoder, stream(6, 1), [plain, taught])
    assert second.mean_divergence < first.mean_divergence
    assert second.moved_share == first.moved_share
    assert all(torch.equal(tensor, before[name]) for name, tensor in router.state_dict().items())


def test_scripted_options_are_what_they_say(decoder: Decoder, make_router: MakeRouter) -> None:
    texts = stream(2, 0)
    whole = [torch.ones(texts.num_routed, dtype=torch.int64)] * 8
    plain = logits_of(decoder, texts.tokens)
    execute = Scripted(skipping_tariff(decoder), texts, whole, None)
    assert torch.equal(logits_of(decoder, texts.tokens, execute, execute.attend), plain)
    none = [torch.zeros(texts.num_routed, dtype=torch.int64)] * 8
    execute = Scripted(skipping_tariff(decoder), texts, none, None)
    embedded = decoder.logits(decoder.norm(decoder.embedding[texts.tokens]))
    torch.testing.assert_close(logits_of(decoder, texts.tokens, execute, execute.attend), embedded)


def test_a_setting_is_a_name_and_a_dial(decoder: Decoder) -> None:
    setting = random_setting(decoder, 0.5)
    assert isinstance(setting, Setting)
    assert (setting.name, setting.dial) == ("random", 0.5)
