"""A model's hidden states as an embedding: by their definition, one by one, refused where the model is another."""

import json
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from pointsman.cli.models import model_sources, source_of
from pointsman.core import BadRequest, Cost, Unsupported
from pointsman.engine import NaiveSession, Session, load_model
from pointsman.gateway import Config, RoutingConfig, create_app, open_routing
from pointsman.gateway.ledger import read_entries
from pointsman.gateway.server import _stored_policy
from pointsman.query.embedding import StaticEmbedder, load_embedder
from pointsman.query.learning import fit_policy, forecasts_of
from pointsman.query.model_embedding import ModelEmbedder
from pointsman.query.outcomes import Outcomes, TableArm
from pointsman.query.policy import Wish
from pointsman.query.storing import StoredPolicy, load_policy, load_stored, save_policy
from pointsman.query.surface import HEAD, TAIL

SMALL = Path("embedded/small")


@pytest.fixture(scope="module")
def embedder() -> ModelEmbedder:
    found = load_embedder(SMALL, source_of)
    assert isinstance(found, ModelEmbedder)
    return found


def of_folder(folder: Path) -> ModelEmbedder:
    found = load_embedder(folder)
    assert isinstance(found, ModelEmbedder)
    return found


def twin(embedder: ModelEmbedder, tokens: Sequence[int]) -> np.ndarray:
    """By a session that keeps no cache."""
    session = NaiveSession(embedder.model.decoder, 1, len(tokens))
    mean = session.extend([0], [list(tokens)], want="all").hidden[0].double().mean(0).numpy()
    return np.asarray(mean / np.linalg.norm(mean))


@settings(deadline=None)
@given(st.lists(st.text(max_size=60), max_size=4))
def test_vectors_are_means_of_hidden_states_and_alone_what_they_are_together(
    embedder: ModelEmbedder, texts: list[str]
) -> None:
    found = embedder.embed(texts)
    assert (found.dtype, found.shape) == (np.float32, (len(texts), 24))
    for text, vector in zip(texts, found, strict=True):
        asked = embedder.model.tokenizer.encode(f"<user> {text}<steps>", special=False)
        np.testing.assert_allclose(vector, twin(embedder, asked), atol=1e-5)
        assert vector.tobytes() == embedder.embed([text])[0].tobytes()


def test_half_a_surrogate_pair_is_a_question_mark(embedder: ModelEmbedder) -> None:
    broken, asked = embedder.embed(["a \ud800 b", "a ? b"])
    assert broken.tobytes() == asked.tobytes()


def test_without_a_chat_template_the_text_is_read_as_it_is(chat_folder: Callable[..., Path]) -> None:
    found = of_folder(chat_folder(template=None))
    text, nothing = found.embed(["hello", ""])
    np.testing.assert_allclose(text, twin(found, found.model.tokenizer.encode("hello", special=False)), atol=1e-5)
    assert not nothing.any()
    assert found.cost("") == Cost.zero()


def test_a_template_that_tells_the_date_gets_always_the_same(chat_folder: Callable[..., Path]) -> None:
    dated, fixed = (
        of_folder(chat_folder(str(number), today + "{{ messages[0].content }}"))
        for number, today in enumerate(("{{ strftime_now('%d %b %Y') }}", "01 Jan 2025"))
    )
    assert dated.embed(["hello"]).tobytes() == fixed.embed(["hello"]).tobytes()


def test_several_threads_get_the_same_bits(embedder: ModelEmbedder) -> None:
    texts = [f"What is {number} + {number * 7}? " * (number % 5 + 1) for number in range(40)]
    wanted = embedder.embed(texts)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: embedder.embed([text])[0], texts))
    assert np.array(found).tobytes() == wanted.tobytes()


def test_of_many_tokens_the_first_and_the_last_are_read(embedder: ModelEmbedder) -> None:
    text = " ".join(f"{number} is not {number * 37}." for number in range(120))
    tokens = embedder.model.tokenizer.encode(f"<user> {text}<steps>", special=False)
    assert len(text) < HEAD + TAIL
    assert len(tokens) > embedder.model.config.context_tokens == 512
    np.testing.assert_allclose(embedder.embed([text])[0], twin(embedder, tokens[:384] + tokens[-128:]), atol=1e-5)
    assert embedder.cost(text).prompt_tokens == 512


def test_of_many_characters_the_middle_is_not_read(chat_folder: Callable[..., Path]) -> None:
    found = of_folder(chat_folder(template=None, context_tokens=8_192))
    text = "a" * HEAD + "b" * 5_000 + "c" * TAIL
    assert found.embed([text]).tobytes() == found.embed(["a" * HEAD + "c" * TAIL]).tobytes()
    assert found.cost(text).prompt_tokens == 1_024, "attention is computed whole"
    np.testing.assert_allclose(found.embed([text])[0], twin(found, [10] * 768 + [12] * 256), atol=1e-5)


@pytest.mark.parametrize("ties", [True, False])
def test_what_is_counted_is_what_a_session_counts_without_its_output_layer_and_cache(
    chat_folder: Callable[..., Path], ties: bool
) -> None:
    found = of_folder(chat_folder(template=None, ties_embedding=ties))
    session = Session(found.model.decoder, 1, 5)
    counted = session.extend([0], [found.model.tokenizer.encode("hello", special=False)]).traffic
    row_bytes, head_bytes = 32 * 4, 95 * 32 * 4
    without = counted.weight_bytes - head_bytes + (5 * row_bytes if ties else 0)  # a tied session reads rows with it
    assert found.cost("hello") == Cost(5, 0, 0, without, 0.0)


def test_which_folder_is_a_model(chat_folder: Callable[..., Path], write_embedding: Any, tmp_path: Path) -> None:
    table = write_embedding(tmp_path / "table", {"red": [1.0, 2.0]})
    (table / "config.json").write_text('{"model_type": "model2vec", "architectures": ["StaticModel"]}')
    assert isinstance(load_embedder(table), StaticEmbedder), "one matrix is a table, whatever stands beside it"
    assert load_embedder(table).cost("red") == Cost.zero()
    folder = chat_folder()
    whole = of_folder(folder)
    assert (whole.folder, whole.num_dims) == (folder, 32)
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    shards = {"a.safetensors": names[:3], "b.safetensors": names[3:]}
    for shard, inside in shards.items():
        save_file({name: weights[name] for name in inside}, folder / shard)
    index = {"weight_map": {name: shard for shard, inside in shards.items() for name in inside}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "model.safetensors").unlink()
    parted = of_folder(folder)
    assert parted.digest == whole.digest
    assert parted.embed(["hello"]).tobytes() == whole.embed(["hello"]).tobytes()


def test_the_digest_is_of_what_decides(chat_folder: Callable[..., Path], tmp_path: Path) -> None:
    first = chat_folder("first")
    digests = {of_folder(first).digest}
    assert of_folder(shutil.copytree(first, tmp_path / "copy")).digest in digests

    def one_bit(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        weights["model.norm.weight"][5] += 2**-23
        save_file(weights, folder / "model.safetensors")

    def other_words(folder: Path) -> None:
        record = json.loads((folder / "tokenizer.json").read_text())
        record["pre_tokenizer"]["use_regex"] = True
        (folder / "tokenizer.json").write_text(json.dumps(record))

    def other_chat(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")

    def other_turns(folder: Path) -> None:
        record = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(record | {"rope_theta": 9_999.0}))

    for change in (one_bit, other_words, other_chat, other_turns):
        folder = shutil.copytree(first, tmp_path / change.__name__)
        change(folder)
        digests.add(of_folder(folder).digest)
    assert len(digests) == 5


def test_models_that_cannot_be_used(chat_folder: Callable[..., Path]) -> None:
    folder = chat_folder()
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"model.norm.weight": torch.full((32,), torch.inf)}, folder / "model.safetensors")
    with pytest.raises(BadRequest, match="not finite") as caught:
        load_embedder(folder)
    assert caught.value.code == "bad_embedding"
    (folder / "model.safetensors").unlink()
    with pytest.raises(BadRequest) as caught:
        load_embedder(folder)
    assert caught.value.code == "invalid_weights"
    (folder / "config.json").write_text('{"architectures": ["BertModel"]}')
    with pytest.raises(Unsupported, match="BertModel"):
        load_embedder(folder)


def table(num_rows: int, seed: int) -> Outcomes:
    """Sums of two numbers, which the small arm can do, and questions about facts, which it cannot."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, num_rows)
    asked = rng.integers(0, 99, (num_rows, 2))
    forms = "What is {} + {}?", "Who lives in {} {}?"
    texts = tuple(forms[each].format(*numbers) for each, numbers in zip(kind, asked, strict=True))
    right = np.column_stack([kind == 0, np.ones(num_rows)]).astype(np.float64)
    cost = rng.uniform(0.9, 1.1, right.shape) * [1e5, 1e6]
    ids = tuple(f"{seed}-{row}" for row in range(num_rows))
    nothing, unknown = np.full(right.shape, -1), np.full(right.shape, np.nan)
    arms = tuple(TableArm(name, name) for name in ("embedded/small", "embedded/large"))
    return Outcomes(ids, texts, ("",) * num_rows, arms, right, cost, unknown, unknown, nothing, unknown)


@pytest.fixture(scope="module")
def stored(embedder: ModelEmbedder) -> StoredPolicy:
    return fit_policy(table(120, 0), "embedded/large", kind="moved_bytes", embedder=embedder)


@pytest.fixture
def folder(stored: StoredPolicy, tmp_path: Path) -> Path:
    save_policy(stored, tmp_path / "policy")
    return tmp_path / "policy"


def test_a_policy_is_stored_under_the_model_s_name_and_decides_as_before(
    stored: StoredPolicy, folder: Path, tmp_path: Path
) -> None:
    record = json.loads((folder / "policy.json").read_text())
    assert (record["embedding_folder"], record["decides"]["embedding"]["num_dims"]) == ("embedded/small", 24)
    found, asked = load_stored(folder, None, source_of), table(20, 1)
    assert found.policy.version == stored.policy.version
    forecasts = forecasts_of(stored.policy.server.fitted, asked, stored.policy.embedder)
    for row, text in enumerate(asked.texts):
        one, two = (each.policy.decide(text, np.full(2, np.nan), Wish()) for each in (stored, found))
        assert one == two
        told = [quote.right for quote in one.quotes]
        np.testing.assert_allclose(told, np.clip(forecasts.right[row], 0, 1), atol=1e-6)
    moved = shutil.copytree(source_of("embedded/small"), tmp_path / "moved")
    assert load_policy(folder, moved).version == stored.policy.version, "wherever it lies"


def test_other_models_and_none_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="embedded/large holds the embedding") as caught:
        load_policy(folder, Path("embedded/large"), source_of)
    assert caught.value.code == "other_embedding"
    for place in (None, Path("embedded/tiny")):
        with pytest.raises(BadRequest, match=r"there is no (such )?folder") as caught:
            load_policy(folder, place)
        assert caught.value.code == "no_embedding"


@pytest.mark.anyio
async def test_a_server_counts_what_reading_took(folder: Path, gateway_client: Any, tmp_path: Path) -> None:
    routing = RoutingConfig(policy=folder, embedding=SMALL, ledger=tmp_path / "l", audit_share=0, solver=False)
    config = Config(routing=routing)
    opened = open_routing(config, lambda *given: _stored_policy(*given, source_of))
    assert opened.policy is not None
    sources = [one for one in model_sources(config) if one.name in opened.policy.arms]
    app = create_app(config, [], sources, None, opened)
    text = "What is 20 + 3?"
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], "max_tokens": 4}
    async with app.router.lifespan_context(app):
        reply = await gateway_client(app).chat(body)
    assert reply.status == 200
    (entry,) = read_entries(tmp_path / "l")
    assert entry.billed is not None
    weights = load_model(source_of("embedded/small"), dtype="float32", device="cpu").decoder
    fixed = sum(each.nbytes for each in weights.blocks.parameters()) + weights.norm.weight.nbytes
    missed = entry.billed.missed
    assert missed == opened.policy.embedder.cost(text)
    assert missed.moved_bytes == fixed + missed.prompt_tokens * 24 * 4
    assert reply.json["pointsman"]["missed"]["moved_bytes"] == missed.moved_bytes
    assert reply.json["pointsman"]["saved_against_reference"]["estimate"] == -missed.moved_bytes, "the reference arm"
