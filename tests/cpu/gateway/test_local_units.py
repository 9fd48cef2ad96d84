"""A model with a budget answers chat requests, each with as much of it as the request pays for."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pointsman.core import BadRequest, NotFound
from pointsman.engine import LoadedModel, Sampling, generate
from pointsman.engine.weights import weights_hash
from pointsman.gateway.config import ModelConfig
from pointsman.gateway.local import LocalModel, load_local
from pointsman.unit import Card, Curve, Point, Prices, Router, Shape, Timed, load_router, routed, save_router

pytestmark = pytest.mark.anyio
CURVE = Curve((Point(0.5, 0.9, 0.0, 0.0), Point(5.0, 0.4, 1.0, 1.0)), 10, "none")


@pytest.fixture
def units(model: LoadedModel, tmp_path: Path) -> Path:
    router = Router(model.config, Shape(4, (0, 5)))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in router.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    folder = tmp_path / "units"
    save_router(folder, router, Card(weights_hash(model.decoder), router.shape, "none", 0.0, CURVE))
    return folder


@pytest.fixture
def serve(model: LoadedModel, units: Path) -> Callable[..., Callable[[], LocalModel]]:
    config = ModelConfig("m", model.name, dtype="float32", device="cpu", unit=units)
    return lambda **changes: lambda: load_local(replace(config, **changes))


def written_at(model: LoadedModel, units: Path, rate: float) -> str:
    router, _ = load_router(units, model.decoder)
    prompt = model.tokenizer.encode("u:hello;steps:", special=False)
    return generate(routed(model, router, rate), [prompt], Sampling(max_tokens=12))[0].text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_chooses_its_budget(
    model: LoadedModel, units: Path, serve: Any, serving: Any, stream: bool
) -> None:
    async with serving(serve()) as gateway:
        whole = await gateway.ask("hello")
        reply = await gateway.ask("hello", stream=stream, pointsman={"budget": 0.4})
    if stream:
        found = "".join(c["delta"].get("content", "") for event in reply.events[:-1] for c in event["choices"])
        note = next(event["pointsman"] for event in reply.events[:-1] if "pointsman" in event)
    else:
        found, note = reply.json["choices"][0]["message"]["content"], reply.json["pointsman"]
    assert found == written_at(model, units, 5.0)
    assert note["budget"] == 0.4
    assert whole.json["choices"][0]["message"]["content"] == written_at(model, units, 0.0) != found
    assert whole.json["pointsman"]["budget"] == 1.0
    assert note["cost"]["moved_bytes"] < whole.json["pointsman"]["cost"]["moved_bytes"]


async def test_budgets_may_be_milliseconds(model: LoadedModel, units: Path, serve: Any, serving: Any) -> None:
    """By another curve and other prices, which a configuration chooses; it must have been measured."""
    with pytest.raises(NotFound) as caught:
        serve(prices="ms")()
    assert caught.value.code == "no_clock"
    prices = Prices("ms", 3e-3, 1e-3, 9e-3, 1e-6, 1e-4, 1e-5, 0.0, 1e-2, model.config.num_layers)
    curve = replace(CURVE, points=(Point(2.0, 0.5, 0.0, 0.0),), currency="ms")
    router, card = load_router(units, model.decoder)
    save_router(units, router, replace(card, timed=Timed("this one", prices, curve)))
    async with serving(serve(prices="ms")) as gateway:
        reply = await gateway.ask("hello", pointsman={"budget": 0.5})
    prompt = model.tokenizer.encode("u:hello;steps:", special=False)
    (expected,) = generate(routed(model, router, 2.0, prices), [prompt], Sampling(max_tokens=12))
    assert reply.json["choices"][0]["message"]["content"] == expected.text


async def test_prompts_have_a_budget_where_the_router_saw_some(serve: Any) -> None:
    with pytest.raises(NotFound) as caught:
        serve(prompt_budget=0.5)()
    assert caught.value.code == "no_prompts"


async def test_the_configuration_has_a_default(model: LoadedModel, units: Path, serve: Any, serving: Any) -> None:
    async with serving(serve(budget=0.4)) as gateway:
        reply = await gateway.ask("hello")
    assert reply.json["choices"][0]["message"]["content"] == written_at(model, units, 5.0)
    assert reply.json["pointsman"]["budget"] == 0.4


@pytest.mark.parametrize("budget", [0.1, 0, 1.1, -1])
async def test_a_budget_out_of_reach_is_a_bad_request(serve: Any, serving: Any, budget: float) -> None:
    async with serving(serve()) as gateway:
        reply = await gateway.ask("hello", pointsman={"budget": budget})
        assert reply.status == 400
        assert (reply.json["error"]["code"], reply.json["error"]["param"]) == ("invalid_budget", "pointsman.budget")
        assert (await gateway.ask("hello")).status == 200


async def test_a_model_without_units_has_no_budget(model: LoadedModel, serve: Any, serving: Any) -> None:
    async with serving(model) as gateway:
        reply = await gateway.ask("hello", pointsman={"budget": 0.5})
    assert reply.status == 400
    assert reply.json["error"]["param"] == "pointsman.budget"
    async with serving(serve()) as gateway:
        reply = await gateway.ask("hello", pointsman={"writers": True})
    assert reply.json["error"]["param"] == "pointsman.writers"


def test_a_default_out_of_reach_is_refused_when_the_model_is_loaded(serve: Any) -> None:
    with pytest.raises(BadRequest, match="are still needed"):
        serve(budget=0.1)()
