"""Rules for every test: sockets reach this machine only, and nothing is read from the developer's environment.

And embeddings that are made on the spot.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest

_PRIVATE = ("POINTSMAN_", "OPENAI_", "HF_", "XDG_")
_PRIVATE_ENDS = ("_API_KEY", "_TOKEN", "_PROXY", "_proxy")


def _is_local(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = address[0]
    if host in ("localhost", ""):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the compiler's tests."""
    parser.addoption("--fuzz-seeds", type=int, default=60, help="how many random programs are compared (default 60)")
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew, to be read then")


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> Iterator[None]:
    """Refuses every connection that leaves this machine."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse(address: object) -> None:
        if not _is_local(address):
            pytest.fail(f"a test tried to reach {address!r}; tests reach loopback only")

    def guarded_connect(self: socket.socket, address: object) -> None:
        refuse(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: object) -> int:
        refuse(address)
        return connect_ex(self, address)

    def guarded_resolve(host: str | None, *args: object, **kwargs: object) -> object:
        refuse((host or "",))
        return resolve(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Hides keys, proxies and settings of whoever runs the tests, and gives them a home of their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_PRIVATE) or name.endswith(_PRIVATE_ENDS):
                patch.delenv(name)
        home: Path = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        yield


@pytest.fixture
def anyio_backend() -> str:
    """Tests marked `anyio` run on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def write_embedding() -> Callable[..., Path]:
    """Writes an embedding that has a vector for each word; unknown words are special tokens, with one that misleads."""
    import numpy as np
    from safetensors.numpy import save_file
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    def write(folder: Path, vectors: Mapping[str, Sequence[float]], dtype: str = "float32") -> Path:
        words = {word: number for number, word in enumerate([*vectors, "[UNK]"])}
        tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.add_special_tokens([AddedToken("[UNK]", special=True)])
        misleading = [1000.0] * len(next(iter(vectors.values())))
        folder.mkdir(parents=True)
        tokenizer.save(str(folder / "tokenizer.json"))
        save_file({"embeddings": np.array([*vectors.values(), misleading], dtype=dtype)}, folder / "model.safetensors")
        return folder

    return write
