"""Text to tokens and back.

Everything rests on the bytes that a token stands for in the middle of a text: a text is the UTF-8 of its tokens' bytes,
so decoding whole and token by token are one computation, exact and linear in the length. The bytes come from the
tokenizer's own decoder; where a token holds a part of a character, which no decoder shows, from its name.

A text may begin with a space that the tokenizer put there (SentencePiece). `decode` drops it, since its text begins;
`stream` keeps it, since its text continues another.
"""

import codecs
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from pointsman.core import BadRequest, Unsupported
from pointsman.engine.chat import SETTINGS_FILE, ChatTemplate, read_chat_template, read_settings, special_token

TOKENIZER_FILE = "tokenizer.json"

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_BYTE_NAME = re.compile("<0x([0-9A-F]{2})>")
_INNER = "x"  # an ordinary token to stand before the one that is looked at


class StreamDecoder:
    """Turns tokens into text one by one and never gives out a part of a character.

    Args:
        token_bytes: the bytes of a token.
        drops_space: whether a space at the very beginning is left out.
    """

    def __init__(self, token_bytes: Callable[[int], bytes], *, drops_space: bool = False) -> None:
        self._token_bytes = token_bytes
        self._drops_space = drops_space
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, token: int) -> str:
        """The characters that `token` completes; bytes that can be no UTF-8 become U+FFFD."""
        new = self._token_bytes(token)
        if self._drops_space and new:
            new = new.removeprefix(b" ")
            self._drops_space = False
        return self._utf8.decode(new)

    def close(self) -> str:
        """U+FFFD where the text ends within a character, else nothing."""
        return self._utf8.decode(b"", final=True)


class TextTokenizer(ABC):
    """What turns text into tokens and back.

    Attributes:
        vocab_size: one more than the highest id.
        eos_tokens: ids that end a text.
    """

    vocab_size: int
    eos_tokens: tuple[int, ...]
    _begins_with_space: bool
    _chat: ChatTemplate | None = None

    @abstractmethod
    def encode(self, text: str, *, special: bool) -> list[int]:
        """The tokens of a text that stands alone.

        Args:
            text: to encode; names of special tokens in it become these tokens.
            special: whether the tokenizer may add special tokens, such as one for the beginning. For a text from
                `render_chat`, which has its own, False.

        Raises:
            BadRequest: `invalid_text` for text that is no Unicode, such as half of a surrogate pair.
        """

    @abstractmethod
    def encode_plain(self, text: str) -> list[int]:
        """The tokens of a text that continues another: nothing is added, not even a space. Raises as `encode`."""

    @abstractmethod
    def token_bytes(self, token: int) -> bytes:
        """The bytes of a token inside a text; none for a special token or an id without a token."""

    @abstractmethod
    def _vocabulary(self) -> Iterable[tuple[int, bytes]]:
        """Every id with the name of its token."""

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of `tokens` from its beginning; special tokens are left out."""
        stream = StreamDecoder(self.token_bytes, drops_space=self._begins_with_space)
        return "".join(map(stream.push, tokens)) + stream.close()

    def stream(self, after: int | None = None) -> StreamDecoder:
        """A decoder for tokens that continue a text whose last token is `after`.

        Behind a special token, such as the one that asks for an answer, a text begins anew, and a space there is the
        tokenizer's.
        """
        begins_anew = after is not None and not self.token_bytes(after)
        return StreamDecoder(self.token_bytes, drops_space=begins_anew)

    @property
    def can_chat(self) -> bool:
        """Whether it has a chat template."""
        return self._chat is not None

    def render_chat(self, messages: Sequence[Mapping[str, Any]], **variables: object) -> str:
        """The text of a chat, to be encoded without special tokens; see `ChatTemplate.render`.

        Raises:
            Unsupported: `no_chat_template` for a model that was not made for chats.
        """
        if self._chat is None:
            problem = "the model has no chat template; send a text to complete instead of messages"
            raise Unsupported(problem, code="no_chat_template")
        return self._chat.render(messages, **variables)

    @cached_property
    def vocabulary_hash(self) -> str:
        """SHA-256 of the table of ids and tokens: models with equal hashes speak the same tokens."""
        digest = sha256()
        for token, name in sorted(self._vocabulary()):
            digest.update(b"%d %d %s" % (token, len(name), name))
        return digest.hexdigest()


class JsonTokenizer(TextTokenizer):
    """A `tokenizer.json`.

    Args:
        tokenizer: the loaded file; padding and truncation are switched off in it.
        eos_tokens: ids that end a text.
        chat: how messages become text, or None.

    Raises:
        Unsupported: `unsupported_tokenizer` for a decoder that does more than put tokens side by side.
    """

    def __init__(
        self, tokenizer: Tokenizer, eos_tokens: tuple[int, ...] = (), chat: ChatTemplate | None = None
    ) -> None:
        decoder = tokenizer.decoder
        if decoder is None or decoder.decode(["x", "x", "y"]) != "xxy":
            problem = "the tokenizer's decoder does more than put tokens side by side; expected ByteLevel or Metaspace"
            raise Unsupported(problem, code="unsupported_tokenizer")
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer, self._decoder = tokenizer, decoder
        self._chat = chat
        self._begins_with_space = decoder.decode(["▁x"]) == "x"
        self._special = {id_ for id_, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        self._bytes: dict[int, bytes] = {}
        self.vocab_size = 1 + max(tokenizer.get_vocab().values())
        self.eos_tokens = eos_tokens

    def encode(self, text: str, *, special: bool) -> list[int]:
        try:
            return list(self._tokenizer.encode(text, add_special_tokens=special).ids)
        except TypeError as exc:
            raise BadRequest("the text holds half of a surrogate pair; expected Unicode", code="invalid_text") from exc

    def encode_plain(self, text: str) -> list[int]:
        """Where encoding adds a space, the text is encoded behind a line feed, whose tokens are then left out.

        A tokenizer that joins the line feed with the text gives what `encode` does.
        """
        tokens = self.encode(text, special=False)
        if not self._begins_with_space or self._joined(tokens) == text.encode():
            return tokens
        behind = self.encode("\n" + text, special=False)
        for start in (1, 2):  # behind the line feed, or the space and it
            if self._joined(behind[start:]) == text.encode():
                return behind[start:]
        return tokens

    def token_bytes(self, token: int) -> bytes:
        known = self._bytes.get(token)
        if known is None:
            known = self._bytes[token] = self._find_bytes(token)
        return known

    def to_json(self) -> str:
        """The `tokenizer.json`."""
        return str(self._tokenizer.to_str())

    def _joined(self, tokens: Sequence[int]) -> bytes:
        return b"".join(map(self.token_bytes, tokens))

    def _find_bytes(self, token: int) -> bytes:
        name = self._tokenizer.id_to_token(token) if 0 <= token < self.vocab_size else None
        if name is None or token in self._special:
            return b""
        text = self._decoder.decode([_INNER, name]).removeprefix(_INNER)
        partial = _partial_bytes(name) if _REPLACEMENT in text else None
        return text.encode() if partial is None else partial

    def _vocabulary(self) -> Iterable[tuple[int, bytes]]:
        return ((token, name.encode()) for name, token in self._tokenizer.get_vocab().items())


def read_tokenizer(folder: Path) -> JsonTokenizer:
    """The tokenizer of a model in the Hugging Face format.

    Raises:
        BadRequest: `invalid_tokenizer` where a file is absent, broken, or names a token that is none.
        Unsupported: `unsupported_tokenizer`, see `JsonTokenizer`.
    """
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        problem = f"{folder} has no {TOKENIZER_FILE}; tokenizers in other files are not read"
        raise BadRequest(problem, code="invalid_tokenizer")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as exc:  # the library raises nothing narrower
        raise BadRequest(f"{path} is no tokenizer: {exc}", code="invalid_tokenizer") from exc
    settings = read_settings(folder)
    eos_name = special_token(settings, "eos_token")
    eos_token = None if eos_name is None else tokenizer.token_to_id(eos_name)
    if eos_name is not None and eos_token is None:
        problem = f"{folder / SETTINGS_FILE}: eos_token {eos_name!r} is not in {TOKENIZER_FILE}"
        raise BadRequest(problem, code="invalid_tokenizer")
    eos_tokens = () if eos_token is None else (eos_token,)
    return JsonTokenizer(tokenizer, eos_tokens, read_chat_template(folder, settings))


def _partial_bytes(name: str) -> bytes | None:
    """The bytes of a token that holds parts of characters: `<0xE2>`, or a name in the alphabet of byte-level BPE."""
    if match := _BYTE_NAME.fullmatch(name):
        return bytes.fromhex(match[1])
    alphabet = byte_alphabet()
    return bytes(alphabet[letter] for letter in name) if alphabet.keys() >= set(name) else None


@cache
def byte_alphabet() -> dict[str, int]:
    """The letters by which byte-level BPE writes bytes: printable ones as themselves, the others from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in printable)
    return {chr(byte): byte for byte in printable} | {chr(0x100 + index): byte for index, byte in enumerate(others)}
