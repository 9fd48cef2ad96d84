"""Units that are left out on a GPU: the choices and logits of a CPU."""

import pytest
import torch

from pointsman.engine import Decoder, ModelConfig, Session
from pointsman.unit import Router, Routing, Shape, execution, timed_prices
from pointsman.unit.execution import RoutedExecution

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU"),
]

CONFIG = ModelConfig("LlamaForCausalLM", 96, 64, 96, 3, 4, 2, 16, 64)
TEXT = [3, 17, 9, 40, 22, 8, 51, 33]


def make(device: str) -> tuple[Decoder, Router]:
    generator = torch.Generator().manual_seed(0)
    decoder = Decoder(CONFIG)
    decoder.initialise(generator)
    router = Router(CONFIG, Shape(4, (0, 12)))
    with torch.no_grad():
        for name, parameter in decoder.named_parameters():
            if not name.endswith("norm.weight"):
                parameter.mul_(5)
        for parameter in router.parameters():
            parameter.normal_(0.0, 0.3, generator=generator)
    return decoder.to(device).eval(), router.requires_grad_(False)


def read(device: str, *, ahead: bool) -> tuple[torch.Tensor, list[list[int]]]:
    decoder, router = make(device)
    session = Session(decoder, 1, 32, execution=Routing(router, 1.0, compiles=False, ahead=ahead))
    session.extend([0], [TEXT[:3]])
    logits = torch.cat([session.extend([0], [[token]]).logits[0].cpu() for token in TEXT[3:]])
    assert isinstance(session.execution, RoutedExecution)
    assert session.execution.log.num_torch == len(TEXT) - 3
    return logits, [options.tolist() for options in session.execution.log.options]


@pytest.mark.parametrize("ahead", [False, True])
def test_a_gpu_chooses_and_computes_as_a_cpu(ahead: bool) -> None:
    logits, options = read("cuda", ahead=ahead)
    expected, same = read("cpu", ahead=ahead)
    assert options == same
    torch.testing.assert_close(logits, expected, rtol=2e-3, atol=2e-3)


def test_a_gpu_gathers_a_prompt_as_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "LEAST_ROWS", 4)
    logits = {}
    for device in ("cuda", "cpu"):
        decoder, router = make(device)
        session = Session(decoder, 1, 32, execution=Routing(router, 0.0, prompt_rate=100.0))
        logits[device] = session.extend([0], [TEXT]).logits.cpu()
        assert isinstance(session.execution, RoutedExecution)
        assert session.execution.log.num_gathered == 1
    torch.testing.assert_close(logits["cuda"], logits["cpu"], rtol=2e-3, atol=2e-3)


def test_parts_are_timed_on_a_gpu() -> None:
    decoder, router = make("cuda")
    assert timed_prices(decoder, router.shape, rounds=2, num_tokens=4).dense(10) > 0
