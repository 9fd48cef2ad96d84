"""Policies that have learned with an embedding: what it brings, stored, found again, refused where it is another."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.core import BadRequest
from pointsman.gateway.auto.guarding import guard_of
from pointsman.query.embedding import Embedder, load_embedder
from pointsman.query.explaining import explain
from pointsman.query.frontier import curve_of, gap_closed
from pointsman.query.learning import calibrate_policy, fit_policy, forecasts_of, grow_policy
from pointsman.query.outcomes import Outcomes, TableArm
from pointsman.query.policy import Wish
from pointsman.query.promise import Promise
from pointsman.query.storing import StoredPolicy, load_policy, load_stored, policy_of, save_certificate, save_policy

_NUM_WORDS, _NUM_DIMS = 400, 8


def words() -> list[str]:
    """Letters at random, so that no part of a word says anything; those at even places are of one kind."""
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 6)) for _ in range(_NUM_WORDS)]


def vectors() -> dict[str, list[float]]:
    """Words of a kind have similar ones."""
    rng = np.random.default_rng(1)
    kinds = rng.normal(size=(2, _NUM_DIMS))
    return {word: (kinds[i % 2] + rng.normal(size=_NUM_DIMS)).tolist() for i, word in enumerate(words())}


def table(num_rows: int, seed: int, first: int, last: int) -> Outcomes:
    """Requests of words `first` to `last`, of one kind each. The small arm can do the even kind, the large one both."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, num_rows)
    found = words()[first:last]
    texts = tuple(" ".join(rng.choice(found[each::2], 6)) for each in kind)
    chance = np.column_stack([np.where(kind == 0, 0.95, 0.05), np.full(num_rows, 0.95)])
    right = (rng.random(chance.shape) < chance).astype(np.float64)
    cost = rng.uniform(0.9, 1.1, right.shape) * [1e3, 1e4]
    ids = tuple(f"{seed}-{row}" for row in range(num_rows))
    nothing, unknown = np.full(right.shape, -1), np.full(right.shape, np.nan)
    arms = tuple(TableArm(name, name) for name in ("small", "large"))
    return Outcomes(ids, texts, ("",) * num_rows, arms, right, cost, unknown, unknown, nothing, unknown)


@pytest.fixture(scope="module")
def place(write_embedding: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedding(tmp_path_factory.mktemp("embedding") / "e", vectors())


@pytest.fixture(scope="module")
def embedder(place: Path) -> Embedder:
    return load_embedder(place)


@pytest.fixture(scope="module")
def train() -> Outcomes:
    return table(240, 0, 0, 200)


@pytest.fixture(scope="module")
def new() -> Outcomes:
    """None of its words was learned from."""
    return table(600, 1, 200, 400)


@pytest.fixture(scope="module")
def stored(train: Outcomes, embedder: Embedder) -> StoredPolicy:
    return fit_policy(train, embedder=embedder)


@pytest.fixture
def folder(stored: StoredPolicy, tmp_path: Path) -> Path:
    save_policy(stored, tmp_path / "policy")
    return tmp_path / "policy"


def refused(call: Callable[[], object], code: str) -> str:
    with pytest.raises(BadRequest) as caught:
        call()
    assert caught.value.code == code
    return caught.value.message


def changed_json(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((folder / "policy.json").read_text())
    change(record)
    (folder / "policy.json").write_text(json.dumps(record))


def test_only_the_embedding_knows_new_words(
    stored: StoredPolicy, train: Outcomes, new: Outcomes, embedder: Embedder
) -> None:
    plain = fit_policy(train)
    gap = gap_closed(curve_of(forecasts_of(stored.policy.server.fitted, new, embedder), new), new)
    without = gap_closed(curve_of(forecasts_of(plain.policy.server.fitted, new), new), new)
    assert gap > 0.7
    assert without < 0.2


def test_a_request_is_decided_by_the_features_of_a_table(stored: StoredPolicy, new: Outcomes) -> None:
    forecasts = forecasts_of(stored.policy.server.fitted, new, stored.policy.embedder)
    for row in range(40):
        choice = stored.policy.decide(new.texts[row], np.full(2, np.nan), Wish(price=1e4))
        told = [quote.right for quote in choice.quotes]
        np.testing.assert_allclose(told, np.clip(forecasts.right[row], 0, 1), atol=1e-6)
        assert choice.novelty == pytest.approx(forecasts.novelty[row], abs=1e-5)


def test_a_round_trip_gives_the_same_bits(stored: StoredPolicy, folder: Path, new: Outcomes) -> None:
    found = load_stored(folder)
    assert found.policy.version == stored.policy.version
    for text in new.texts[:20]:
        one, two = (each.policy.decide(text, np.full(2, np.nan), Wish()) for each in (stored, found))
        assert one == two
    before, after = (forecasts_of(each.policy.server.fitted, new, each.policy.embedder) for each in (stored, found))
    assert before.right.tobytes() == after.right.tobytes()
    save_policy(found, folder.with_name("again"))
    for path in folder.iterdir():
        assert path.read_bytes() == (folder.with_name("again") / path.name).read_bytes()


def test_the_folder_says_which_embedding_and_where(
    stored: StoredPolicy, folder: Path, place: Path, embedder: Embedder, train: Outcomes
) -> None:
    record = json.loads((folder / "policy.json").read_text())
    assert record["decides"]["embedding"] == {"sha256": embedder.digest, "num_dims": _NUM_DIMS}
    assert (record["embedding_folder"], record["format"]) == (str(place), 1)
    policy = stored.policy
    other = policy_of(policy.arms, policy.reference, policy.server.fitted, embedder=_Other(embedder))
    assert other.version != policy.version
    save_policy(fit_policy(train.rows(range(60))), folder.with_name("plain"))
    plain = json.loads((folder.with_name("plain") / "policy.json").read_text())
    assert "embedding" not in plain["decides"], "what had none keeps its bytes, and its version"
    assert "embedding_folder" not in plain


class _Other:
    """The same vectors under another digest."""

    def __init__(self, embedder: Embedder) -> None:
        self.folder, self.num_dims, self.embed, self.digest = embedder.folder, embedder.num_dims, embedder.embed, "0"


def test_an_embedding_that_has_moved(folder: Path, place: Path, stored: StoredPolicy, tmp_path: Path) -> None:
    changed_json(folder, lambda record: record.update(embedding_folder=str(tmp_path / "gone")))
    for load in (load_policy, load_stored):
        told = refused(lambda load=load: load(folder), "no_embedding")
        assert str(tmp_path / "gone") in told
        assert "--embedding" in told
    moved = shutil.copytree(place, tmp_path / "moved")
    assert load_policy(folder, moved).version == stored.policy.version
    save_policy(load_stored(folder, moved), tmp_path / "new")
    assert load_policy(tmp_path / "new").embedder.folder == moved, "a policy that is written anew knows the new place"
    refused(lambda: load_policy(folder, tmp_path / "nowhere"), "no_embedding")


def test_another_embedding_is_refused(folder: Path, write_embedding: Any, tmp_path: Path) -> None:
    other = write_embedding(tmp_path / "other", vectors() | {words()[7]: [0.0] * _NUM_DIMS})
    told = refused(lambda: load_policy(folder, other), "other_embedding")
    assert f"{other} holds the embedding {load_embedder(other).digest[:16]}; the policy has learned with" in told
    changed_json(folder, lambda record: record.update(embedding_folder=str(other)))
    refused(lambda: load_stored(folder), "other_embedding")
    (other / "tokenizer.json").unlink()
    refused(lambda: load_stored(folder), "bad_embedding")


def test_a_policy_without_an_embedding_takes_none(train: Outcomes, place: Path, tmp_path: Path) -> None:
    save_policy(fit_policy(train.rows(range(60))), tmp_path / "plain")
    assert load_policy(tmp_path / "plain").embedder is None
    told = refused(lambda: load_policy(tmp_path / "plain", place), "other_embedding")
    assert "has learned without an embedding" in told


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("decides.embedding: has 9 dimensions", lambda r: r["decides"]["embedding"].update(num_dims=9)),
        ("decides.embedding: has 0 dimensions", lambda r: r["decides"].pop("embedding")),
        ("decides.embedding.num_dims", lambda r: r["decides"]["embedding"].update(num_dims=0)),
        ("decides.embedding", lambda r: r["decides"]["embedding"].pop("sha256")),
        ("embedding_folder: is missing", lambda r: r.pop("embedding_folder")),
        ("embedding_folder", lambda r: r.update(embedding_folder=3)),
    ],
)
def test_records_that_do_not_fit(folder: Path, field: str, change: Any) -> None:
    changed_json(folder, change)
    assert f"policy.json: {field}" in refused(lambda: load_policy(folder), "bad_policy")


def test_it_is_calibrated_explained_and_joined_with_its_embedding(
    stored: StoredPolicy, folder: Path, new: Outcomes
) -> None:
    found = calibrate_policy(load_stored(folder), new, Promise.of_quality(0.9))
    assert found.certificate is not None
    assert found.certificate.saving > 0.2, "on words that were not learned from"
    save_certificate(found.certificate, folder)
    certified = load_stored(folder)
    assert certified.policy.decide(new.texts[0], np.full(2, np.nan), Wish()).reason == "certified"
    easy, hard = (" ".join(words()[200 + kind : 212 + kind : 2]) for kind in (0, 1))
    told = [explain(certified, text, Wish(price=2e4)) for text in (easy, hard)]
    assert [each.choice.arm for each in told] == ["small", "large"]
    assert told[0].moves[0].coordinate * told[1].moves[0].coordinate < 0
    fresh = table(60, 2, 0, 200).columns([0])
    grown = grow_policy(stored, replace(fresh, arms=(TableArm("new", "new"),)))
    save_policy(grown, folder.with_name("grown"))
    policy = load_policy(folder.with_name("grown"))
    assert (policy.version, policy.embedder.digest) == (grown.policy.version, stored.policy.embedder.digest)
    rights = [policy.decide(text, np.full(3, np.nan), Wish()).quotes[2].right for text in (easy, hard)]
    assert rights[0] > rights[1] + 0.3, "the new arm is like the small one, on new words too"


def test_a_server_s_guard_forecasts_the_reference_with_the_embedding(stored: StoredPolicy) -> None:
    assert not guard_of(stored.policy).is_off
