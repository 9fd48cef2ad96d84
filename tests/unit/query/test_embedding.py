"""A text's vector is the mean of its tokens' rows; a folder that cannot be used is refused with what is wrong in it."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

from pointsman.core import BadRequest, Cost, Unsupported
from pointsman.query import embedding
from pointsman.query.embedding import StaticEmbedder, load_embedder
from pointsman.query.surface import HEAD, TAIL

VECTORS = {"red": [3.0, 4.0], "blue": [0.0, -1.0], "cold": [1.0, 0.0], "warm": [-1.0, 0.0]}


@pytest.fixture
def folder(write_embedding: Any, tmp_path: Path) -> Path:
    return write_embedding(tmp_path / "e", VECTORS)


@pytest.fixture(scope="module")
def embedder(write_embedding: Any, tmp_path_factory: pytest.TempPathFactory) -> StaticEmbedder:
    return load_embedder(write_embedding(tmp_path_factory.mktemp("made") / "e", VECTORS))


def changed_tokenizer(folder: Path, change: Callable[[Tokenizer], object]) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    change(tokenizer)
    tokenizer.save(str(folder / "tokenizer.json"))


def changed_json(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((folder / "tokenizer.json").read_text())
    change(record)
    (folder / "tokenizer.json").write_text(json.dumps(record))


def test_vectors_by_hand(embedder: StaticEmbedder) -> None:
    found = embedder.embed(["red", "red red blue", "cold, warm", "", " ", "cold warm blue blue"])
    # (6, 7) / 3 of the second has the length of the root of 85, over 3; the comma is unknown
    wanted = [[0.6, 0.8], [6 / 85**0.5, 7 / 85**0.5], [0, 0], [0, 0], [0, 0], [0, -1]]
    np.testing.assert_allclose(found, wanted, rtol=1e-7)
    assert (found.dtype, found.shape, embedder.num_dims) == (np.float32, (6, 2), 2)
    assert embedder.embed([]).shape == (0, 2)


def test_special_tokens_count_for_nothing(folder: Path) -> None:
    def begin_with_cold(tokenizer: Tokenizer) -> None:
        tokenizer.post_processor = processors.TemplateProcessing(single="cold $A", special_tokens=[("cold", 2)])

    changed_tokenizer(folder, begin_with_cold)
    found = load_embedder(folder).embed(["red", "red green yellow", "[UNK] red", "green", "[UNK]"])
    np.testing.assert_allclose(found, [[0.6, 0.8]] * 3 + [[0, 0]] * 2, rtol=1e-7)


def test_what_is_not_marked_as_special_has_its_row(folder: Path) -> None:
    changed_json(folder, lambda record: record.update(added_tokens=[]))
    assert load_embedder(folder).embed(["green"])[0] == pytest.approx([0.5**0.5] * 2)


def test_a_tokenizer_that_cuts_and_pads_is_told_not_to(folder: Path) -> None:
    def cuts_and_pads(tokenizer: Tokenizer) -> None:
        tokenizer.enable_truncation(1)
        tokenizer.enable_padding(length=5, pad_id=0, pad_token="red")

    changed_tokenizer(folder, cuts_and_pads)
    np.testing.assert_allclose(load_embedder(folder).embed(["cold blue"]), [[0.5**0.5, -(0.5**0.5)]], rtol=1e-7)


def test_of_a_long_text_the_middle_is_not_read(embedder: StaticEmbedder) -> None:
    head, tail = "cold " * (HEAD // 5), "blue " * (TAIL // 5)
    whole, short = embedder.embed([head + "red " * 10_000 + tail, head + tail])
    assert whole.tobytes() == short.tobytes()
    assert embedder.embed([head[:-5] + "red " + tail])[0].tobytes() != short.tobytes()


@given(st.lists(st.lists(st.sampled_from([*VECTORS, "green", "\ud800", "é", "[UNK]"]), max_size=12), max_size=5))
def test_vectors_are_those_of_the_plain_twin_one_by_one(embedder: StaticEmbedder, rows: list[list[str]]) -> None:
    texts = [" ".join(row) for row in rows]
    found = embedder.embed(texts)
    for row, text, vector in zip(rows, texts, found, strict=True):
        total = np.sum([VECTORS.get(word, [0.0, 0.0]) for word in row] or [[0.0, 0.0]], axis=0)
        length = np.linalg.norm(total)
        np.testing.assert_allclose(vector, total / length if length else total, atol=1e-6)
        assert vector.tobytes() == embedder.embed([text])[0].tobytes()


def test_half_precision_and_word_pieces(tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.train_from_iterator(["low lower lowest"] * 5, trainers.BpeTrainer(vocab_size=40, show_progress=False))
    matrix = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size() + 3, 8)).astype(np.float16)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    save_file({"embedding.weight": matrix}, tmp_path / "weights.safetensors")
    ids = tokenizer.encode("lower owl", add_special_tokens=False).ids
    mean = matrix[ids].astype(np.float64).mean(0)
    assert 2 < len(ids) < 9
    np.testing.assert_allclose(load_embedder(tmp_path).embed(["lower owl"])[0], mean / np.linalg.norm(mean), rtol=1e-6)


def test_the_digest_is_of_what_decides(write_embedding: Any, folder: Path, tmp_path: Path) -> None:
    first = load_embedder(folder)
    copy = load_embedder(shutil.copytree(folder, tmp_path / "copy"))
    half = write_embedding(tmp_path / "half", VECTORS, "float16")
    moved = write_embedding(tmp_path / "moved", VECTORS | {"red": [3.0, 5.0]})
    renamed = write_embedding(tmp_path / "renamed", {"rot": [3.0, 4.0], **dict(list(VECTORS.items())[1:])})
    others = [load_embedder(each).digest for each in (half, moved, renamed)]
    assert copy.digest == first.digest
    assert (copy.folder, first.folder) == (tmp_path / "copy", folder)
    assert len({first.digest, *others}) == 4
    assert len(first.digest) == 64


def _saved(**arrays: Any) -> Callable[[Path], object]:
    return lambda folder: save_file(
        {name: np.ascontiguousarray(a) for name, a in arrays.items()}, folder / "model.safetensors"
    )


def _cut(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-20])


def _with(value: float) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        matrix = load_file(folder / "model.safetensors")["embeddings"].copy()
        matrix[1, 1] = value
        save_file({"embeddings": matrix}, folder / "model.safetensors")

    return change


_MATRIX = np.ones((5, 2), dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json cannot be read: No such file"),
        (lambda f: (f / "tokenizer.json").write_text(""), "tokenizer.json is no tokenizer"),
        (_cut("tokenizer.json"), "tokenizer.json is no tokenizer"),
        (lambda f: changed_json(f, lambda r: r["model"]["vocab"].pop("[UNK]")), "tokenizer.json"),
        (lambda f: (f / "model.safetensors").unlink(), "has the .safetensors files: none; expected one"),
        (lambda f: shutil.copy(f / "model.safetensors", f / "b.safetensors"), "b.safetensors, model.safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "model.safetensors cannot be read as safetensors"),
        (_cut("model.safetensors"), "model.safetensors cannot be read as safetensors"),
        (_saved(), "has the arrays: none; expected one, a matrix"),
        (_saved(embeddings=_MATRIX, weights=_MATRIX[:, 0]), "has the arrays: embeddings, weights; expected one"),
        (_saved(rows=_MATRIX[0]), "rows is F32 (2,); expected F16 or F32, a row for each token"),
        (_saved(rows=_MATRIX[None]), "rows is F32 (1, 5, 2)"),
        (_saved(rows=_MATRIX.astype(np.float64)), "rows is F64 (5, 2)"),
        (_saved(rows=_MATRIX.astype(np.int8)), "rows is I8 (5, 2)"),
        (_saved(rows=_MATRIX[:0]), "rows is F32 (0, 2)"),
        (_saved(rows=_MATRIX[:, :0]), "rows is F32 (5, 0)"),
        (_saved(rows=np.ones((5, 4_097), dtype=np.float16)), "rows is F16 (5, 4097)"),
        (_saved(rows=_MATRIX[:4]), "has tokens up to 4, and model.safetensors 4 rows; expected a row for each"),
        (_with(np.nan), "embeddings has values that are not finite"),
        (_with(-np.inf), "embeddings has values that are not finite"),
    ],
)
def test_a_folder_that_cannot_be_used(folder: Path, change: Callable[[Path], object], told: str) -> None:
    change(folder)
    with pytest.raises(BadRequest) as caught:
        load_embedder(folder)
    assert (caught.value.code, caught.value.param) == ("bad_embedding", "embedding")
    assert told in caught.value.message
    assert str(folder) in caught.value.message


@pytest.mark.parametrize(
    ("limit", "told"),
    [("_MAX_TOKENIZER_BYTES", "tokenizer.json has "), ("_MAX_MATRIX_BYTES", "model.safetensors has ")],
)
def test_files_of_absurd_sizes(folder: Path, limit: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, limit, 100)
    with pytest.raises(BadRequest, match="bytes; expected 100 at most") as caught:
        load_embedder(folder)
    assert told in caught.value.message


def test_a_vocabulary_without_a_word_for_unknown_ones(folder: Path) -> None:
    """The library finds out at the first such word; here it is tried before anything is learned."""
    changed_json(folder, lambda record: record["model"].update(unk_token="[NONE]"))
    with pytest.raises(BadRequest, match=r"tokenizer\.json cannot read a text: .*Missing \[UNK\]") as caught:
        load_embedder(folder)
    assert caught.value.code == "bad_embedding"


def test_no_folder(folder: Path) -> None:
    for missing in (folder / "none", folder / "model.safetensors"):
        with pytest.raises(BadRequest, match=r"there is no folder .*; expected tokenizer\.json and one") as caught:
            load_embedder(missing)
        assert caught.value.code == "no_embedding"


def test_without_tokenizers_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(Unsupported, match=r"pip install 'pointsman\[local\]'") as caught:
        load_embedder(folder)
    assert caught.value.code == "extra_missing"


def test_one_matrix_is_a_table_whatever_stands_beside_it(folder: Path, embedder: StaticEmbedder) -> None:
    (folder / "config.json").write_text('{"architectures": ["StaticModel"]}')
    found = load_embedder(folder)
    assert isinstance(found, StaticEmbedder)
    assert found.digest == embedder.digest
    assert found.cost("red blue") == Cost.zero(), "no model is read"


def test_a_name_is_looked_up(folder: Path) -> None:
    found = load_embedder(Path("some/name"), lambda name: str(folder) if name == "some/name" else name)
    assert found.folder == Path("some/name")
    with pytest.raises(BadRequest, match=r"no folder 'other/name' .* or a model such as embedded/small") as caught:
        load_embedder(Path("other/name"), lambda name: name)
    assert caught.value.code == "no_embedding"


@pytest.mark.parametrize("names", [["a", "b"], []])
def test_a_model_needs_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    """A model has more arrays than one, or several files."""
    (tmp_path / "config.json").write_text("{}")
    if names:
        save_file({name: np.zeros((2, 2), np.float32) for name in names}, tmp_path / "model.safetensors")
    monkeypatch.setattr("pointsman.query.model_embedding.find_spec", lambda _: None)
    with pytest.raises(Unsupported, match=r"is a model, which needs PyTorch.* 'pointsman\[local\]'") as caught:
        load_embedder(tmp_path)
    assert caught.value.code == "extra_missing"
