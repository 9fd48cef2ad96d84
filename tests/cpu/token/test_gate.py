"""Gates compute what their shape says, are saved whole, and refuse other models and broken files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pointsman.core import BadRequest, NotFound
from pointsman.engine.weights import weights_hash
from pointsman.token.fast_gate import MOST_ROWS, FastGate
from pointsman.token.gate import (
    GATE_FILE,
    WEIGHTS_FILE,
    Gate,
    GateCard,
    GateShape,
    load_gate,
    observe,
    save_gate,
)
from pointsman.token.pair import Pair
from pointsman.token.scores import MaxProbability

MakePair = Callable[..., Pair]

SHAPES = {
    "linear": GateShape(("hidden",), ()),
    "deep": GateShape(("hidden",), (8, 4), "relu", is_linear_at_the_end=True),
    "all": GateShape(("top_logits", "hidden", "embedding", "confidence"), (8,)),
    "two": GateShape(("hidden",), (8,), outputs=2),
}


BEFORE_TEXTS = GateShape(("hidden", "length", "embedding"), (8,), outputs=2)


def make_gate(pair: Pair, shape: GateShape) -> Gate:
    gate = Gate(shape, pair.small)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in (*gate.parameters(), gate.mean):
            tensor.normal_(generator=generator)
    return gate.eval()


def card_of(pair: Pair, gate: Gate) -> GateCard:
    return GateCard(
        "citer",
        gate.shape,
        weights_hash(pair.small.decoder),
        weights_hash(pair.large.decoder),
        "some data",
        {"labels": 3.0},
    )


def rows(pair: Pair, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    hidden, logits = torch.randn(count, 32, generator=generator), torch.randn(count, 60, generator=generator)
    return hidden, logits, logits.argmax(-1)


def test_what_gates_see() -> None:
    logits = torch.tensor([[0.7, 0.2, 0.1, 0.0]]).log()
    seen = observe(torch.ones(1, 3), logits, torch.tensor([0]))
    entropy = -(0.7 * torch.tensor(0.7).log() + 0.2 * torch.tensor(0.2).log() + 0.1 * torch.tensor(0.1).log())
    expected = torch.tensor([[0.7, 0.3, 0.2]]).log()
    torch.testing.assert_close(seen.confidence, torch.cat((expected, -entropy[None, None]), -1))
    assert seen.top_logits.tolist() == logits.tolist()


def test_a_certain_model_is_finite_too() -> None:
    seen = observe(torch.ones(1, 3), torch.tensor([[100.0, -100.0, -torch.inf]]), torch.tensor([0]))
    assert seen.confidence.isfinite().all()


def test_a_deep_gate_is_its_layers(pair: Pair) -> None:
    gate = make_gate(pair, SHAPES["deep"])
    hidden, logits, proposals = rows(pair, 5)
    first, second, third = gate.layers
    x = (hidden - gate.mean) / gate.scale
    expected = third(second(torch.relu(first(x)))).sigmoid()
    torch.testing.assert_close(gate(hidden, logits, proposals), expected)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_gate_comes_back_from_its_files(pair: Pair, shape: GateShape, tmp_path: Path) -> None:
    gate = make_gate(pair, shape)
    save_gate(tmp_path / "gate", gate, card_of(pair, gate))
    again, card = load_gate(tmp_path / "gate", pair)
    assert card == card_of(pair, gate)
    seen = rows(pair, 7)
    assert torch.equal(again(*seen), gate(*seen))
    assert again.traffic == gate.traffic
    stored = sum(tensor.nbytes for tensor in gate.state_dict().values())
    assert gate.traffic.weight_bytes == stored + ("embedding" in shape.features) * 32 * 4


def test_the_dtype_of_the_models_is_no_matter(pair: Pair, make_pair: MakePair) -> None:
    rounded = make_pair()
    for model in (rounded.small, rounded.large):
        model.decoder.to(torch.bfloat16)
    assert weights_hash(rounded.large.decoder) == weights_hash(pair.large.decoder)


@pytest.mark.parametrize("role", ["small", "large"])
def test_a_gate_of_other_models_is_refused(pair: Pair, make_pair: MakePair, role: str, tmp_path: Path) -> None:
    gate, other = make_gate(pair, SHAPES["linear"]), make_pair(9)
    save_gate(tmp_path, gate, card_of(pair, gate))
    mixed = Pair(*(getattr(other if name == role else pair, name) for name in ("small", "large")))
    with pytest.raises(BadRequest, match=f"made for another {role} model than tiny/{role}") as caught:
        load_gate(tmp_path, mixed)
    assert caught.value.code == "gate_of_other_models"


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        (GATE_FILE, b"{", "is no description of a gate"),
        (GATE_FILE, b"\xff", "is no description of a gate"),
        (GATE_FILE, b"[]", "is no description of a gate"),
        (WEIGHTS_FILE, b"", "does not hold the weights"),
        (WEIGHTS_FILE, None, "does not hold the weights"),
    ],
)
def test_broken_files_are_refused(pair: Pair, file: str, content: bytes | None, told: str, tmp_path: Path) -> None:
    gate = make_gate(pair, SHAPES["linear"])
    save_gate(tmp_path, gate, card_of(pair, gate))
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    with pytest.raises(BadRequest, match=told) as caught:
        load_gate(tmp_path, pair)
    assert caught.value.code == "invalid_gate"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "format 2; expected 1"),
        ({"shape": {"features": ["hidden"], "widths": [9]}}, "does not hold the weights"),
        ({"shape": {"features": ["smell"], "widths": []}}, "Invalid enum value 'smell'"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    pair: Pair, changes: dict[str, object], told: str, tmp_path: Path
) -> None:
    gate = make_gate(pair, SHAPES["linear"])
    save_gate(tmp_path, gate, card_of(pair, gate))
    described = json.loads((tmp_path / GATE_FILE).read_text())
    (tmp_path / GATE_FILE).write_text(json.dumps(described | changes))
    with pytest.raises(BadRequest, match=told):
        load_gate(tmp_path, pair)


def test_no_gate_is_said(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no gate in"):
        load_gate(tmp_path / "none", pair)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [1, 5, MOST_ROWS + 1])
@pytest.mark.parametrize("shape", [*SHAPES.values(), BEFORE_TEXTS], ids=[*SHAPES, "before texts"])
def test_the_fast_gate_scores_the_same(make_pair: MakePair, shape: GateShape, count: int, dtype: torch.dtype) -> None:
    pair = make_pair()
    for model in (pair.small, pair.large):
        model.decoder.to(dtype)
    gate = make_gate(pair, shape)
    fast = FastGate.of(gate)
    assert isinstance(fast, FastGate)
    assert fast.traffic == gate.traffic
    hidden, logits, proposals = rows(pair, count)
    seen = hidden.to(dtype), logits.to(dtype), proposals, torch.arange(3, 3 + count)
    torch.testing.assert_close(fast(*seen), gate(*seen), atol=1e-5, rtol=1e-5)


def test_only_gates_on_a_cpu_have_a_fast_one() -> None:
    scorer = MaxProbability()
    assert FastGate.of(scorer) is scorer
    assert FastGate.of(None) is None


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_gate_scores_what_it_was_taught_on(pair: Pair, shape: GateShape) -> None:
    gate, seen = make_gate(pair, shape), rows(pair, 6)
    learned = gate.logit(gate.inputs(observe(*seen))).sigmoid()
    assert torch.equal(gate(*seen), learned)
