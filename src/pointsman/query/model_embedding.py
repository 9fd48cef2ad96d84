"""What a request is about, as far as a small model of the engine tells: its own hidden states, as an embedding.

A text's vector is the mean over its tokens of the last hidden state, after the last norm and before the output layer,
which is not computed; scaled to length 1. The text is read as a chat of one message that asks for worked steps, or as
it is where the model has no chat template. Of more than `HEAD + TAIL` characters the first `HEAD` and the last `TAIL`
are read, as in `surface.py`; of more tokens than the model's context or `_MOST_TOKENS` the first three quarters and the
last quarter.

The model runs in float32 on the processor, one text at a time and without a cache, so that a request gets the bits that
it got in a table. Other processors and numbers of threads may change the last ones.

What it takes is counted: all weights but the embedding's and the output layer's, and a row of the embedding for each
token. That is what `Session` counts, less the output layer and the cache, which are not there.

Not covered: sharing the weights with a served model of that name; GPUs; models by their id on the Hub.

Axes: N texts, T tokens, X dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pointsman.core import Cost, Unsupported
from pointsman.query.embedding import Vectors, bad_embedding, kept_part, scaled

if TYPE_CHECKING:  # torch is loaded by whoever asks for a model
    from pointsman.engine import LoadedModel

__all__ = ["ModelEmbedder", "load_model_embedder"]

_RULE: Final = b"last hidden state, mean/1"
"""How hidden states become a vector; part of the digest."""

_FILES: Final = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
"""What makes tokens of a text; part of the digest."""

_MOST_TOKENS: Final = 1_024
"""Of a text; attention is computed whole. Chosen: 4,000 characters of English have as many."""

_VARIABLES: Final[dict[str, Any]] = {
    "add_generation_prompt": True,
    "mode": "steps",
    "enable_thinking": True,
    "strftime_now": lambda form: date(2025, 1, 1).strftime(form),
}
"""What a chat template may read: what a server gives it, but that a template which tells the date always gets this one.
A vector must not depend on the day."""

_PROBE: Final = "What is 2 + 3?"


@dataclass(frozen=True, slots=True)
class ModelEmbedder:
    """Means of hidden states. Attributes: `model` of the engine, and those of `Embedder`."""

    folder: Path
    digest: str
    model: LoadedModel

    @property
    def num_dims(self) -> int:
        """X: the model's hidden size."""
        return self.model.config.hidden_size

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder`. Raises BadRequest `bad_embedding` where what the model gives is not finite."""
        return np.array([self._embedded(text) for text in texts], dtype=np.float32).reshape(len(texts), self.num_dims)

    def cost(self, text: str) -> Cost:
        """See `Embedder`."""
        decoder, num_tokens = self.model.decoder, len(self._tokens(text))
        if not num_tokens:
            return Cost.zero()
        rows = decoder.embedding.nbytes + (0 if decoder.head is None else decoder.head.nbytes)
        weights = sum(parameter.nbytes for parameter in decoder.parameters()) - rows
        return Cost(num_tokens, 0, 0, weights + num_tokens * decoder.embedding[0].nbytes, 0.0)

    def _tokens(self, text: str) -> list[int]:
        tokenizer, kept = self.model.tokenizer, kept_part(text)
        if tokenizer.can_chat:
            kept = tokenizer.render_chat([{"role": "user", "content": kept}], **_VARIABLES)
        tokens = tokenizer.encode(kept, special=False)
        most = min(self.model.config.context_tokens, _MOST_TOKENS)
        num_last = most // 4
        return tokens if len(tokens) <= most else tokens[: most - num_last] + tokens[len(tokens) - num_last :]

    def _embedded(self, text: str) -> NDArray[np.float64]:
        import torch

        from pointsman.engine.session import causal_attend

        if not (tokens := self._tokens(text)):
            return np.zeros(self.num_dims)
        with torch.inference_mode():
            hidden = self.model.decoder(torch.tensor([tokens]), torch.arange(len(tokens))[None], causal_attend)
            mean: NDArray[np.float64] = hidden[0].double().mean(0).numpy()  # (T, X) to (X,)
        if not np.isfinite(mean).all():
            raise bad_embedding(self.folder, "is a model that gives hidden states which are not finite")
        return scaled(mean)


def load_model_embedder(place: Path, folder: Path) -> ModelEmbedder:
    """The model in `folder`, which was asked for as `place`.

    Raises:
        BadRequest: `bad_embedding` for hidden states that are not finite; as `engine.load_model`.
        Unsupported: `extra_missing` without torch; as `engine.load_model`.
    """
    if find_spec("torch") is None:
        problem = f"the embedding {str(place)!r} is a model, which needs PyTorch; install the extra: pip install"
        raise Unsupported(f"{problem} 'pointsman[local]'", code="extra_missing")
    from pointsman.engine import load_model

    model = load_model(str(folder), dtype="float32", device="cpu")
    found = ModelEmbedder(place, _digest(model, folder), model)
    found.embed([_PROBE])
    return found


def _digest(model: LoadedModel, folder: Path) -> str:
    """Of the rule, the files of the tokenizer, the model's shape, and its weights as they are computed with."""
    from pointsman.engine.weights import config_to_hf

    shape = json.dumps(config_to_hf(model.config), sort_keys=True).encode()
    found = sha256(_RULE + sha256(shape).digest())
    for name in _FILES:
        if (path := folder / name).is_file():
            found.update(name.encode() + sha256(path.read_bytes()).digest())
    for name, weight in sorted(model.decoder.named_parameters()):
        found.update(f"{name} {tuple(weight.shape)}".encode())
        found.update(weight.detach().contiguous().numpy().data.cast("B"))
    return found.hexdigest()
