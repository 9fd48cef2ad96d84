"""Tokenizers made on the spot: what goes in comes out, whole and token by token."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from pointsman.core import BadRequest, Unsupported
from pointsman.engine.tokenizer import JsonTokenizer, StreamDecoder, byte_alphabet, read_tokenizer

TEXTS = ["the cat sat on the mat, and the cat ate", "où est le café crème? — là-bas!", "  spaces\n\tand 日本語 🙂🙂"]


def byte_level() -> Tokenizer:
    """As Llama 3 and Qwen have it; the merges of its training cut characters apart."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, special_tokens=["<end>", "<begin>"])
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    tokenizer.add_tokens([AddedToken("<a tool>", special=False)])
    return tokenizer


def sentence_piece() -> Tokenizer:
    """As Llama 2 and Mistral have it: a space in front, bytes for letters without a token, a token to begin with."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = ["▁", "a", "t", "h", "e", "c", "s", "▁t", "he", "▁the", "at", "▁c", "▁cat", "▁s", "▁sat", ".", "é", "�"]
    vocabulary = {name: token for token, name in enumerate(["<unk>", "<s>", "</s>", *bytes_, *pieces])}
    merges = [("▁", "t"), ("h", "e"), ("▁t", "he"), ("a", "t"), ("▁", "c"), ("▁c", "at"), ("▁", "s"), ("▁s", "at")]
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    strip = decoders.Strip(" ", 1, 0)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def metaspace() -> Tokenizer:
    tokenizer = sentence_piece()
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first")])
    return tokenizer


KINDS = {"byte-level": byte_level(), "sentence-piece": sentence_piece()}
TOKENIZERS = {name: JsonTokenizer(tokenizer, (2,)) for name, tokenizer in KINDS.items()}

every_kind = pytest.mark.parametrize("kind", TOKENIZERS)
SETTINGS: dict[str, Any] = {"eos_token": "</s>", "chat_template": "{{ messages[0].content }}"}


def save(folder: Path, tokenizer: Tokenizer, settings: dict[str, Any] | None = None) -> Path:
    tokenizer.save(str(folder / "tokenizer.json"))
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@every_kind
@settings(deadline=None)  # the machine may be busy
@given(text=st.text())
def test_any_text_comes_back(kind: str, text: str) -> None:
    tokenizer = TOKENIZERS[kind]
    text = text.replace("▁", "")  # SentencePiece writes spaces so
    for special in (False, True):
        tokens = tokenizer.encode(text, special=special)
        assert tokenizer.decode(tokens) == text
        assert KINDS[kind].decode(tokens) == text


@every_kind
@settings(deadline=None)  # the machine may be busy
@given(text=st.text())
def test_a_text_that_continues_another_is_added_as_it_is(kind: str, text: str) -> None:
    tokenizer = TOKENIZERS[kind]
    text = text.replace("▁", "")
    stream = tokenizer.stream()
    assert "".join(map(stream.push, tokenizer.encode_plain(text))) + stream.close() == text


def test_a_text_that_continues_another_gets_no_space() -> None:
    tokenizer = TOKENIZERS["sentence-piece"]
    names = KINDS["sentence-piece"].id_to_token
    assert [names(token) for token in tokenizer.encode("the cat", special=False)] == ["▁the", "▁cat"]
    assert [names(token) for token in tokenizer.encode_plain("the cat")] == ["t", "he", "▁cat"]
    assert [names(token) for token in tokenizer.encode_plain(" the cat")] == ["▁the", "▁cat"]


@settings(deadline=None)  # the machine may be busy
@given(tokens=st.lists(st.integers(0, 330)))
def test_any_bytes_decode_as_the_library_decodes_them(tokens: list[int]) -> None:
    """Byte-level tokens, cut characters and ids without a token among them."""
    ours = TOKENIZERS["byte-level"].decode(tokens)
    assert ours == KINDS["byte-level"].decode(tokens, skip_special_tokens=True)


@every_kind
@settings(deadline=None)  # the machine may be busy
@given(data=st.data())
def test_a_stream_gives_whole_characters_as_soon_as_they_are(kind: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[kind]
    text = data.draw(st.text(st.characters(exclude_characters="▁�", exclude_categories=["Cs"])))
    stream = tokenizer.stream()
    seen = b""
    given_out = ""
    for token in tokenizer.encode_plain(text):
        given_out += stream.push(token)
        seen += tokenizer.token_bytes(token)
        assert given_out == seen.decode(errors="ignore")
    assert stream.close() == ""
    assert given_out == text


def test_a_stream_that_ends_within_a_character_says_so() -> None:
    tokenizer = TOKENIZERS["sentence-piece"]
    stream = tokenizer.stream()
    assert stream.push(3 + 0xE2) == ""
    assert stream.push(3 + 0x82) == ""
    assert stream.close() == "�"


def test_a_stream_looks_at_every_token_once() -> None:
    asked: list[int] = []

    def token_bytes(token: int) -> bytes:
        asked.append(token)
        return b"\xff"

    stream = StreamDecoder(token_bytes)
    assert [stream.push(token) for token in range(100)] == ["�"] * 100
    assert asked == list(range(100))


def test_a_stream_keeps_the_space_that_a_text_loses() -> None:
    tokenizer = TOKENIZERS["sentence-piece"]
    the, cat = tokenizer.encode("the cat", special=False)
    assert tokenizer.decode([the, cat]) == "the cat"
    assert tokenizer.decode([1, the, cat]) == "the cat"
    stream = tokenizer.stream()
    assert stream.push(the) + stream.push(cat) == " the cat"


def test_metaspace_is_known() -> None:
    tokenizer = JsonTokenizer(metaspace())
    assert tokenizer.decode(tokenizer.encode("the cat ☂", special=False)) == "the cat ☂"


def test_special_tokens_are_added_on_demand_only() -> None:
    tokenizer = TOKENIZERS["sentence-piece"]
    assert tokenizer.encode("the", special=True) == [1, *tokenizer.encode("the", special=False)]


def test_special_tokens_have_no_text_and_others_that_were_added_do() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    tokens = tokenizer.encode("a<end><a tool>b", special=False)
    assert KINDS["byte-level"].token_to_id("<end>") in tokens
    assert tokenizer.decode(tokens) == "a<a tool>b"


@pytest.mark.parametrize("token", [-1, 100_000])
def test_an_id_without_a_token_has_no_bytes(token: int) -> None:
    assert TOKENIZERS["byte-level"].token_bytes(token) == b""


def test_the_byte_alphabet_is_that_of_the_library() -> None:
    assert byte_alphabet().keys() == set(pre_tokenizers.ByteLevel.alphabet())
    assert sorted(byte_alphabet().values()) == list(range(256))


@every_kind
def test_half_of_a_surrogate_pair_is_refused(kind: str) -> None:
    for encode in (lambda text: TOKENIZERS[kind].encode(text, special=True), TOKENIZERS[kind].encode_plain):
        with pytest.raises(BadRequest, match="half of a surrogate pair") as caught:
            encode("a\ud800b")
        assert caught.value.code == "invalid_text"


def test_padding_and_truncation_of_the_file_are_switched_off(tmp_path: Path) -> None:
    tokenizer = sentence_piece()
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding(length=50)
    read = read_tokenizer(save(tmp_path, tokenizer))
    assert read.decode(read.encode("the cat sat the cat sat", special=True)) == "the cat sat the cat sat"
    assert len(read.encode("the cat sat the cat sat", special=True)) == 7


def test_hashes_tell_vocabularies_apart(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(save(tmp_path, sentence_piece()))
    assert tokenizer.vocabulary_hash == TOKENIZERS["sentence-piece"].vocabulary_hash
    larger = sentence_piece()
    larger.add_tokens(["more"])
    swapped = json.loads(sentence_piece().to_str())
    table = swapped["model"]["vocab"]
    table["."], table["é"] = table["é"], table["."]
    hashes = {JsonTokenizer(other).vocabulary_hash for other in (larger, Tokenizer.from_str(json.dumps(swapped)))}
    assert len(hashes | {tokenizer.vocabulary_hash}) == 3


def test_vocab_size_counts_to_the_highest_id() -> None:
    tokenizer = sentence_piece()
    highest = max(tokenizer.get_vocab().values())
    assert JsonTokenizer(tokenizer).vocab_size == highest + 1
    tokenizer.add_tokens(["more"])
    assert JsonTokenizer(tokenizer).vocab_size == highest + 2


def test_settings_give_the_end_token_and_the_chat_template(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(save(tmp_path, sentence_piece(), SETTINGS))
    assert tokenizer.eos_tokens == (2,)
    assert tokenizer.render_chat([{"role": "user", "content": "the cat"}]) == "the cat"


def test_without_settings_there_are_neither(tmp_path: Path) -> None:
    tokenizer = read_tokenizer(save(tmp_path, sentence_piece()))
    assert tokenizer.eos_tokens == ()
    with pytest.raises(Unsupported, match="no chat template; send a text") as caught:
        tokenizer.render_chat([])
    assert caught.value.code == "no_chat_template"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda folder: (folder / "tokenizer.json").unlink(), "has no tokenizer.json"),
        (lambda folder: (folder / "tokenizer.json").write_text("{broken"), "tokenizer.json is no tokenizer: "),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer.json is no tokenizer: "),
        (lambda folder: (folder / "tokenizer_config.json").write_text("[]"), "holds list; expected an object"),
        (lambda folder: (folder / "tokenizer_config.json").write_text("{"), "tokenizer_config.json is not JSON"),
        (
            lambda folder: (folder / "tokenizer_config.json").write_text('{"eos_token": "<none>"}'),
            "eos_token '<none>' is not in tokenizer.json",
        ),
    ],
)
def test_broken_files(spoil: Callable[[Path], object], expected: str, tmp_path: Path) -> None:
    spoil(save(tmp_path, sentence_piece(), SETTINGS))
    with pytest.raises(BadRequest, match=expected.replace(".", r"\.")) as caught:
        read_tokenizer(tmp_path)
    assert caught.value.code == "invalid_tokenizer"


@pytest.mark.parametrize("decoder", [None, decoders.WordPiece(), decoders.CTC()], ids=["none", "wordpiece", "ctc"])
def test_decoders_that_do_more_are_refused(decoder: Any) -> None:
    tokenizer = sentence_piece()
    tokenizer.decoder = decoder
    with pytest.raises(Unsupported, match="more than put tokens side by side") as caught:
        JsonTokenizer(tokenizer)
    assert caught.value.code == "unsupported_tokenizer"
