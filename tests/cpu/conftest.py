"""Tiny models, made on the spot."""

import json
import string
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from pointsman.core import BadRequest
from pointsman.engine.config import ModelConfig
from pointsman.engine.model import Decoder
from pointsman.engine.tokenizer import TextTokenizer, byte_alphabet
from pointsman.engine.weights import save_weights

TINY = ModelConfig(
    architecture="Qwen3ForCausalLM",
    vocab_size=60,
    hidden_size=32,
    intermediate_size=48,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    head_dim=8,
    context_tokens=64,
    has_qk_norm=True,
    eos_tokens=(1,),
)


class Letters(TextTokenizer):
    """Token n is the letter A + n, but token 59 is a space, and token 1 is special and ends a text."""

    vocab_size = 60
    eos_tokens = (1,)
    _begins_with_space = False

    def encode(self, text: str, *, special: bool) -> list[int]:
        if not text.isascii():
            raise BadRequest("letters only", code="invalid_text")
        return [59 if letter == " " else ord(letter) - ord("A") for letter in text]

    def encode_plain(self, text: str) -> list[int]:
        return self.encode(text, special=False)

    def token_bytes(self, token: int) -> bytes:
        return {1: b"", 59: b" "}.get(token, bytes([token + ord("A")]))

    def _vocabulary(self) -> Iterable[tuple[int, bytes]]:
        return ((token, self.token_bytes(token)) for token in range(60))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tests run beside each other; threads of tiny products only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def letters() -> TextTokenizer:
    """A tokenizer for the random models of `make_decoder`."""
    return Letters()


@pytest.fixture(scope="session")
def make_decoder() -> Callable[..., Decoder]:
    """Makes a random model: `make_decoder(seed=1, num_kv_heads=4)`."""

    def make(seed: int = 0, dtype: torch.dtype = torch.float32, **changes: object) -> Decoder:
        decoder = Decoder(replace(TINY, **changes))
        decoder.initialise(torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for name, parameter in decoder.named_parameters():
                if not name.endswith("norm.weight"):
                    parameter.mul_(8)  # at 0.02 all logits of a tiny model are nearly equal
        return decoder.to(dtype).eval()

    return make


CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role not in ('system', 'user') %}{{ raise_exception('no role ' + message.role) }}{% endif %}"
    "{{ message.role[0] }}:{{ message.content }};{% endfor %}"
    "{% if add_generation_prompt %}{{ mode }}:{% endif %}"
)


@pytest.fixture
def chat_folder(make_decoder: Callable[..., Decoder], tmp_path: Path) -> Callable[..., Path]:
    """Saves a random model that writes printable ASCII, a token a character: `chat_folder(context_tokens=64)`.

    No token ends its texts, unless `eos_tokens` says otherwise.
    """

    def make(name: str = "tiny", template: str | None = CHAT_TEMPLATE, **changes: object) -> Path:
        folder = tmp_path / "models" / name
        letters = {byte: letter for letter, byte in byte_alphabet().items()}
        vocabulary = {letters[ord(character)]: token for token, character in enumerate(string.printable[:95])}
        sizes = {"vocab_size": 95, "context_tokens": 512, "eos_tokens": (), **changes}
        save_weights(make_decoder(**sizes), folder)
        tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
        return folder

    return make
