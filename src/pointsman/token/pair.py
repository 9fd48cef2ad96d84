"""Two models that can write one text, because they speak the same tokens."""

from dataclasses import dataclass

from pointsman.core import BadRequest
from pointsman.engine import LoadedModel


@dataclass(frozen=True, slots=True)
class Pair:
    """A small and a large model with one vocabulary.

    Raises:
        BadRequest: `different_tokenizers` where an id does not mean the same to both.
    """

    small: LoadedModel
    large: LoadedModel

    def __post_init__(self) -> None:
        hashes = [model.tokenizer.vocabulary_hash for model in (self.small, self.large)]
        if hashes[0] != hashes[1]:
            problem = f"{self.small.name} and {self.large.name} have different vocabularies"
            told = " and ".join(f"{value[:12]}..." for value in hashes)
            raise BadRequest(f"{problem} (SHA-256 {told}); expected one for both", code="different_tokenizers")

    @property
    def vocab_size(self) -> int:
        """Ids that both models know; either may pad its head beyond the tokenizer's."""
        return min(self.small.config.vocab_size, self.large.config.vocab_size)

    @property
    def context_tokens(self) -> int:
        """Longest text that both can read."""
        return min(self.small.config.context_tokens, self.large.config.context_tokens)
