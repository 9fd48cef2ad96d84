"""Routers with random weights, whose gates choose all options in turn."""

from collections.abc import Callable

import pytest
import torch

from pointsman.engine.model import Decoder
from pointsman.unit.router import KvPolicy, Router, Shape

MakeRouter = Callable[..., Router]


@pytest.fixture(scope="session")
def make_router() -> MakeRouter:
    def make(
        decoder: Decoder, kv: KvPolicy = "computed", widths: tuple[int, ...] = (0, 5, 11), seed: int = 0
    ) -> Router:
        router = Router(decoder.config, Shape(4, widths, kv))
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in router.parameters():
                parameter.normal_(0.0, 0.3, generator=generator)
            for unit in range(len(router.gates)):
                router.gate(unit).bias.sub_(2.0)
        return router.requires_grad_(False)

    return make
