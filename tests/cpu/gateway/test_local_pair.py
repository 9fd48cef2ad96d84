"""Two models answer chat requests together, and tell who wrote what."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import BadRequest, NotFound
from pointsman.embedded.pair import model_folder, router_folder
from pointsman.engine import LoadedModel, Sampling, generate, load_model
from pointsman.engine.weights import weights_hash
from pointsman.gateway import PairConfig
from pointsman.gateway.local import local_model
from pointsman.gateway.local_pair import LocalPair, load_local_pair
from pointsman.token import Gate, GateCard, Method, Pair, at_risks, chosen_method, save_gate
from pointsman.token.gate import GateShape
from pointsman.token.judges import Exact
from pointsman.token.method import cascade, ours, speculative
from pointsman.token.scores import MaxProbability

pytestmark = pytest.mark.anyio


@pytest.fixture
def pair(make_model: Callable[..., LoadedModel]) -> Pair:
    large = make_model()
    small = replace(make_model(), name="small")
    for mine in small.decoder.parameters():
        mine.data.mul_(1.02)  # near, and not the same
    return Pair(small, replace(large, name="large"))


def serve(pair: Pair, method: Method) -> Callable[[], LocalPair]:
    return lambda: LocalPair(pair, method, 4, 8192)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_strict_pair_answers_as_the_large_model(pair: Pair, serving: Any, stream: bool) -> None:
    prompt = pair.large.tokenizer.encode("u:hello;steps:", special=False)
    (alone,) = generate(pair.large, [prompt], Sampling(max_tokens=12))
    async with serving(serve(pair, speculative(3))) as gateway:
        reply = await gateway.ask("hello", stream=stream)
    assert reply.status == 200
    if stream:
        found = "".join(c["delta"].get("content", "") for event in reply.events[:-1] for c in event["choices"])
        note = next(event["pointsman"] for event in reply.events[:-1] if "pointsman" in event)
    else:
        found, note = reply.json["choices"][0]["message"]["content"], reply.json["pointsman"]
        assert reply.json["usage"]["completion_tokens"] == 12
    assert found == alone.text
    assert note["method"] == "speculative"
    assert note["large_tokens"] + note["small_tokens"] == 12
    assert note["calls"] >= 3
    assert note["bytes"] == note["cost"]["moved_bytes"] > 0
    assert note["flops"] > 0
    assert note["rolled_back"] >= 0
    assert "writers" not in note


async def test_who_wrote_each_token_is_told_where_it_is_asked(pair: Pair, serving: Any) -> None:
    async with serving(serve(pair, cascade(2, 1.0))) as gateway:
        reply = await gateway.ask("hello", pointsman={"writers": True})
        note = reply.json["pointsman"]
        refused = await gateway.ask("hello", pointsman={"writer": True})
    assert [one["writer"] for one in note["writers"]] == ["small", "small", "large"] * 4
    assert "".join(one["token"] for one in note["writers"]) == reply.json["choices"][0]["message"]["content"]
    assert refused.status == 400
    assert "writer" in refused.json["error"]["message"]


async def test_one_model_cannot_tell_writers(make_model: Callable[..., LoadedModel], serving: Any) -> None:
    async with serving(make_model()) as gateway:
        refused = await gateway.ask("hello", pointsman={"writers": True})
        fine = await gateway.ask("hello", pointsman={"writers": False})
    assert (refused.status, refused.json["error"]["param"]) == (400, "pointsman.writers")
    assert fine.status == 200


@pytest.mark.parametrize("field", [{"logprobs": True}, {"guided_choice": ["a", "b"]}])
async def test_what_is_defined_for_one_model_only_is_refused(pair: Pair, serving: Any, field: dict[str, Any]) -> None:
    async with serving(serve(pair, speculative(3))) as gateway:
        reply = await gateway.ask("hello", **field)
        again = await gateway.ask("hello")
    assert (reply.status, reply.json["error"]["param"]) == (400, next(iter(field)))
    assert "where two models write" in reply.json["error"]["message"]
    assert again.status == 200


def write_gate(pair: Pair, folder: Path, **figures: float) -> None:
    gate = Gate(GateShape(("hidden",), ()), pair.small)
    hashes = weights_hash(pair.small.decoder), weights_hash(pair.large.decoder)
    save_gate(folder / "pointsman", gate, GateCard("pointsman", gate.shape, *hashes, "letters", figures))


def test_a_pair_is_loaded_with_its_certified_dials(chat_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = str(chat_folder())
    config = PairConfig("p", folder, folder, tmp_path / "router", dtype="float32", device="cpu")
    with pytest.raises(NotFound, match="there is no gate"):
        load_local_pair(config)
    from pointsman.engine import load_model

    model = load_model(folder, dtype="float32", device="cpu")
    write_gate(Pair(model, model), tmp_path / "router")
    with pytest.raises(BadRequest, match="the gate has no dials") as caught:
        load_local_pair(config)
    assert caught.value.code == "dials_missing"
    dials = {"least_survival": 0.3, "tolerance": 0.1, "risk": 0.1, "lookup": 0.9}
    write_gate(Pair(model, model), tmp_path / "router", **dials)
    load_local_pair(config).close()
    given = replace(config, method="speculative", dials={"num_tokens": 2.0})
    load_local_pair(given).close()
    with pytest.raises(BadRequest, match="the dials of speculative are num_tokens"):
        load_local_pair(replace(given, dials={"threshold": 0.5}))


async def test_a_request_may_bring_its_risk(pair: Pair, serving: Any) -> None:
    """Without any the text is the large model's; a pair of another method, and a model alone, refuse it by name."""
    scorer = MaxProbability()

    def at_risk(risk: float) -> Method:
        return ours(scorer, 0.4, 1.0 if risk else 0.0, risk)

    prompt = pair.large.tokenizer.encode("u:hello;steps:", special=False)
    (alone,) = generate(pair.large, [prompt], Sampling(max_tokens=12))
    async with serving(lambda: LocalPair(pair, at_risk(1.0), 4, 8192, at_risk)) as gateway:
        strict = await gateway.ask("hello", pointsman={"risk": 0})
        risky = await gateway.ask("hello", pointsman={"risk": 1})
        refused = await gateway.ask("hello", pointsman={"risk": 2})
    assert strict.json["choices"][0]["message"]["content"] == alone.text
    assert risky.json["pointsman"]["calls"] < strict.json["pointsman"]["calls"]
    assert (refused.status, refused.error["code"], refused.error["param"]) == (400, "invalid_risk", "pointsman.risk")
    for load in (serve(pair, speculative(3)), lambda: local_model(pair.large, 2, 512)):
        async with serving(load) as gateway:
            refused = await gateway.ask("hello", pointsman={"risk": 0.1})
        assert (refused.status, refused.error["param"]) == (400, "pointsman.risk")


def test_the_shipped_pair_has_methods_at_every_risk() -> None:
    embedded = Pair(*(load_model(str(model_folder(size)), dtype="float32") for size in ("small", "large")))
    chosen, at_risk = at_risks(embedded, router_folder(), {})
    certified = chosen_method(embedded, router_folder(), None, {})
    assert at_risk(0.05).scorer is at_risk(0.0).scorer is chosen.scorer
    assert (chosen.forgives, chosen.stop, chosen.judge) == (certified.forgives, certified.stop, certified.judge)
    assert (at_risk(0.05).forgives, at_risk(0.05).stop) == (0.05, certified.stop)
    assert at_risk(0.0).judge == Exact()
