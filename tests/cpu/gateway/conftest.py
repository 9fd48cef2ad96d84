"""A gateway over tiny random models; the clients are those of the gateway's unit tests."""

import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pointsman.engine import LoadedModel, load_model
from pointsman.gateway import Config, ModelSource, TextModel, create_app
from pointsman.gateway.local import local_model

_PATH = Path(__file__).parents[2] / "unit/gateway/conftest.py"
_SPEC = importlib.util.spec_from_file_location("gateway_clients", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
_CLIENTS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_CLIENTS)

serve_app = _CLIENTS.serve_app


@pytest.fixture
def gateway_client() -> Any:
    """`gateway_client(app)` drives an app."""
    return _CLIENTS.Client


@pytest.fixture
def make_model(chat_folder: Callable[..., Path]) -> Callable[..., LoadedModel]:
    """Makes a random model: `make_model(context_tokens=64)`."""
    return lambda **changes: load_model(str(chat_folder(**changes)), dtype="float32", device="cpu")


@pytest.fixture
def model(make_model: Callable[..., LoadedModel]) -> LoadedModel:
    """A random model with a context of 512 tokens."""
    return make_model()


class Gateway:
    """An app with one model, `m`. Every `ask` is a client of its own, so several can ask at once."""

    def __init__(self, load: Callable[[], TextModel]) -> None:
        self.app = create_app(Config(), [], [ModelSource("m", "", load)])

    async def ask(self, content: object = "hello", **fields: object) -> Any:
        """The reply to a chat with one message, of 12 tokens unless told otherwise."""
        messages = [{"role": "user", "content": content}]
        return await self.client().chat({"model": "m", "messages": messages, "max_tokens": 12, **fields})

    def client(self) -> Any:
        """A new client."""
        return _CLIENTS.Client(self.app)


@pytest.fixture
def serving() -> Any:
    """`async with serving(model) as gateway`: a `Gateway` that runs; in place of a model a function may load one."""

    @asynccontextmanager
    async def run(
        model: LoadedModel | Callable[[], TextModel], num_rows: int = 4, context_tokens: int = 8192
    ) -> AsyncIterator[Gateway]:
        is_loaded = isinstance(model, LoadedModel)
        gateway = Gateway((lambda: local_model(model, num_rows, context_tokens)) if is_loaded else model)
        async with gateway.app.router.lifespan_context(gateway.app):
            yield gateway

    return run
