"""What a decoder-only model looks like: the sizes, and the few switches by which the supported families differ.

Read from the `config.json` of the Hugging Face format. Everything that the engine does not compute exactly is refused
by name: a switch that was overlooked would give a model that loads and answers wrongly.

Not done here: mixture of experts, multimodal towers, sliding windows (a model that has one is limited to the window's
length, within which both are the same), biases on the output projection or the MLP.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pointsman.core import BadRequest, Unsupported

T = TypeVar("T")

ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
"""What `config.json` may name. Qwen2.5 calls itself Qwen2, Llama 2 and 3 are one architecture."""


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary position embedding: angle of pair i at position p is `p * theta ** (-2 i / head_dim)`, then scaled.

    Attributes:
        theta: the base.
        factor: how many times longer the context was made, or 1.0 where it was not.
        kind: `default`, `linear` (every angle divided by `factor`), or `llama3` (only slow pairs divided; Llama 3.1).
        low_freq_factor: llama3: pairs with fewer turns than this over the original context are divided by `factor`.
        high_freq_factor: llama3: pairs with more turns than this are left; between the two it is interpolated.
        original_tokens: llama3: the context length before scaling.
    """

    theta: float = 10000.0
    kind: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_tokens: int = 8192


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """The shape of a model.

    Attributes:
        architecture: one of `ARCHITECTURES`.
        vocab_size: rows of the embedding, V.
        hidden_size: width of the residual stream, D.
        intermediate_size: width of the gated MLP.
        num_layers: blocks, L.
        num_heads: query heads, H.
        num_kv_heads: key and value heads; divides `num_heads`.
        head_dim: width of one head; even.
        context_tokens: longest sequence.
        rms_norm_eps: added to the mean square in every norm.
        rope: rotary position embedding.
        ties_embedding: the output head is the embedding.
        has_qkv_bias: the query, key and value projections have a bias (Qwen2).
        has_qk_norm: each query and key head is normalised before the rotation (Qwen3).
        eos_tokens: ids that end a text.
        bos_token: the id that starts a text, or None.
    """

    architecture: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    context_tokens: int
    rms_norm_eps: float = 1e-6
    rope: RopeConfig = RopeConfig()
    ties_embedding: bool = False
    has_qkv_bias: bool = False
    has_qk_norm: bool = False
    eos_tokens: tuple[int, ...] = ()
    bos_token: int | None = None

    @property
    def num_parameters(self) -> int:
        """Numbers that are learned; a tied embedding counts once."""
        qkv_size = (self.num_heads + 2 * self.num_kv_heads) * self.head_dim
        attention = self.hidden_size * (qkv_size + self.num_heads * self.head_dim)
        attention += qkv_size * self.has_qkv_bias + 2 * self.head_dim * self.has_qk_norm
        block = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        num_tables = 1 if self.ties_embedding else 2
        return self.num_layers * block + num_tables * self.vocab_size * self.hidden_size + self.hidden_size

    def kv_token_bytes(self, element_bytes: int) -> int:
        """Bytes of keys and values that one token has in the cache, over all layers."""
        return 2 * self.num_layers * self.num_kv_heads * self.head_dim * element_bytes


def read_config(path: Path) -> ModelConfig:
    """The model that a Hugging Face `config.json` describes.

    Raises:
        BadRequest: `invalid_model` where the file is not JSON, or a value is absent, of the wrong kind or impossible.
        Unsupported: `unsupported_model` for an architecture or a switch that the engine does not compute.
    """
    return _Reader(read_object(path, code="invalid_model"), path).config()


def read_eos_tokens(path: Path) -> tuple[int, ...]:
    """The ids that end a text, as `config.json` and `generation_config.json` name them.

    Raises:
        BadRequest: `invalid_model` where the file is not JSON, or the ids are none.
    """
    return _Reader(read_object(path, code="invalid_model"), path).eos_tokens()


def read_object(path: Path, *, code: str) -> dict[str, Any]:
    """The JSON object that a file holds.

    Raises:
        BadRequest: `code` where the file cannot be read, is not JSON, or holds something else.
    """
    try:
        raw = json.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise BadRequest(f"cannot read {path}: {exc.strerror}", code=code) from exc
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"{path} is not JSON: {exc}", code=code) from exc
    if not isinstance(raw, dict):
        raise BadRequest(f"{path} holds {type(raw).__name__}; expected an object", code=code)
    return raw


class _Reader:
    """Reads fields of one `config.json`; its errors name the file and the field."""

    def __init__(self, raw: Mapping[str, Any], path: Path) -> None:
        self._raw = raw
        self._path = path

    def config(self) -> ModelConfig:
        architecture = self._architecture()
        is_llama = architecture == "LlamaForCausalLM"
        hidden_size, num_heads = self._count("hidden_size"), self._count("num_attention_heads")
        config = ModelConfig(
            architecture=architecture,
            vocab_size=self._count("vocab_size"),
            hidden_size=hidden_size,
            intermediate_size=self._count("intermediate_size"),
            num_layers=self._count("num_hidden_layers"),
            num_heads=num_heads,
            # What the other families assume where a key is absent is not what Llama assumes, so they must say it.
            num_kv_heads=self._count("num_key_value_heads", num_heads if is_llama else None),
            head_dim=self._count("head_dim", None if architecture == "Qwen3ForCausalLM" else hidden_size // num_heads),
            context_tokens=self._context_tokens(),
            rms_norm_eps=self._number("rms_norm_eps", 1e-6),
            rope=self._rope(),
            ties_embedding=self._flag("tie_word_embeddings", default=False),
            has_qkv_bias=architecture == "Qwen2ForCausalLM",
            has_qk_norm=architecture == "Qwen3ForCausalLM",
            eos_tokens=self.eos_tokens(),
            bos_token=self._get("bos_token_id", int, None),
        )
        self._refuse_switches()
        self._refuse_sizes(config)
        return config

    def _architecture(self) -> str:
        names = self._get("architectures", list, None) or [None]
        if names[0] not in ARCHITECTURES:
            known = ", ".join(ARCHITECTURES)
            raise self._unsupported(f"the architecture {names[0]!r} is not one of {known}")
        return str(names[0])

    def _context_tokens(self) -> int:
        context_tokens = self._count("max_position_embeddings")
        if self._architecture() == "MistralForCausalLM":
            window = self._get("sliding_window", int, None if "sliding_window" in self._raw else 4096)
        else:
            window = self._get("sliding_window", int, None) if self._flag("use_sliding_window", default=False) else None
        return context_tokens if window is None else min(context_tokens, window)

    def _rope(self) -> RopeConfig:
        """`rope_theta` and `rope_scaling`, or `rope_parameters`, which holds both since transformers 5."""
        scaling = self._get("rope_parameters", dict, None) or self._get("rope_scaling", dict, None) or {}
        inner = _Reader(scaling, self._path)
        theta = inner._number("rope_theta", self._number("rope_theta", 10000.0))
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind == "default":
            return RopeConfig(theta)
        if kind == "linear":
            return RopeConfig(theta, "linear", inner._number("factor"))
        if kind == "llama3":
            return RopeConfig(
                theta,
                "llama3",
                inner._number("factor"),
                inner._number("low_freq_factor"),
                inner._number("high_freq_factor"),
                inner._count("original_max_position_embeddings"),
            )
        raise self._unsupported(f"rope scaling {kind!r} is not one of default, linear, llama3")

    def eos_tokens(self) -> tuple[int, ...]:
        value = self._raw.get("eos_token_id")
        tokens = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(token, int) for token in tokens):
            raise self._invalid("eos_token_id", value, "a token id or a list of them")
        return tuple(tokens)

    def _refuse_switches(self) -> None:
        activation = self._get("hidden_act", str, "silu")
        if activation != "silu":
            raise self._unsupported(f"the activation {activation!r} is not 'silu'")
        for name in ("attention_bias", "mlp_bias"):
            if self._flag(name, default=False):
                raise self._unsupported(f"{name} is true; only Qwen2's biases on query, key and value are known")
        if self._raw.get("quantization_config") is not None:
            raise self._unsupported("the weights are quantised; expected float32, float16 or bfloat16")

    def _refuse_sizes(self, config: ModelConfig) -> None:
        if config.num_heads % config.num_kv_heads:
            expected = f"a divisor of num_attention_heads = {config.num_heads}"
            raise self._invalid("num_key_value_heads", config.num_kv_heads, expected)
        if config.head_dim % 2:
            raise self._invalid("head_dim", config.head_dim, "an even number, because rotations turn pairs")

    def _get(self, name: str, kind: type[T], default: T | None) -> T | None:
        value = self._raw.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
            raise self._invalid(name, value, kind.__name__)
        return value

    def _flag(self, name: str, *, default: bool) -> bool:
        return bool(self._get(name, bool, default))

    def _count(self, name: str, default: int | None = None) -> int:
        value = self._get(name, int, default)
        if value is None or value < 1:
            raise self._invalid(name, value, "a whole number from 1 up")
        return value

    def _number(self, name: str, default: float | None = None) -> float:
        value = self._raw.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise self._invalid(name, value, "a number above 0")
        return float(value)

    def _invalid(self, name: str, value: object, expected: str) -> BadRequest:
        return BadRequest(f"{self._path}: {name} is {value!r}; expected {expected}", code="invalid_model")

    def _unsupported(self, problem: str) -> Unsupported:
        return Unsupported(f"{self._path}: {problem}", code="unsupported_model")
