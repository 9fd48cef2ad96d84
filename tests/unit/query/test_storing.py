"""A policy comes back from its folder bit for bit, or is refused with the file and the field."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pointsman.core import BadRequest
from pointsman.query.certifying import Setting
from pointsman.query.difficulty.joint import Joint
from pointsman.query.difficulty.serving import Server
from pointsman.query.explaining import explain
from pointsman.query.features import features_of
from pointsman.query.learning import best_reachable, calibrate_policy, fit_policy, grow_policy
from pointsman.query.outcomes import Outcomes, TableArm
from pointsman.query.packing import pack
from pointsman.query.policy import Certificate, Wish
from pointsman.query.promise import Promise
from pointsman.query.storing import (
    StoredPolicy,
    drop_certificate,
    load_policy,
    load_stored,
    policy_of,
    save_certificate,
    save_policy,
)

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll larch maple noble ocean pearl".split()
_PRICES = np.array([[10.0, 20.0], [20.0, 60.0], [100.0, 400.0]])


def table(num_rows: int, seed: int) -> Outcomes:
    """Sums and words. Arm 0 is cheap and good at sums, arm 1 at words, arm 2 is dear and good at both."""
    rng = np.random.default_rng(seed)
    is_sum = rng.random(num_rows) < 0.5
    texts = [
        f"What is {rng.integers(1000)} + {rng.integers(1000)} + {rng.integers(1000)} ?"
        if sums
        else "Put these in another order: " + ", ".join(rng.choice(_WORDS, 6))
        for sums in is_sum
    ]
    chance = np.column_stack([np.where(is_sum, 0.9, 0.1), np.where(is_sum, 0.1, 0.9), np.full(num_rows, 0.95)])
    right = (rng.random(chance.shape) < chance).astype(np.float64)
    read = np.repeat(np.array([[len(text) / 4] for text in texts]), 3, axis=1)
    written = rng.integers(5, 15, chance.shape) * np.where(is_sum, 1.0, 3.0)[:, None]
    arms = tuple(TableArm(f"arm{a}", f"arm{a}") for a in range(3))
    ids = tuple(f"{seed}-{i}" for i in range(num_rows))
    cost = read * _PRICES[:, 0] + written * _PRICES[:, 1]
    nothing, unknown = np.full(right.shape, -1), np.full(right.shape, np.nan)
    return Outcomes(ids, tuple(texts), ("",) * num_rows, arms, right, cost, read, written, nothing, unknown)


@pytest.fixture(scope="module")
def stored() -> StoredPolicy:
    return fit_policy(table(300, 0))


@pytest.fixture(scope="module")
def kept() -> Outcomes:
    return table(600, 1)


@pytest.fixture
def folder(stored: StoredPolicy, tmp_path: Path) -> Path:
    save_policy(stored, tmp_path / "policy")
    return tmp_path / "policy"


def certificate(arms: tuple[str, ...] = ("arm0", "arm1", "arm2")) -> Certificate:
    return Certificate(Promise(0.02), Setting(1e-5, 0.1), 0.75, 0.2, 500, 0.3, arms, "00")


def refused(call: Callable[[], object], code: str = "bad_policy") -> str:
    with pytest.raises(BadRequest) as error:
        call()
    assert error.value.code == code
    return error.value.message


def test_a_round_trip_gives_the_same_bits(stored: StoredPolicy, folder: Path, kept: Outcomes) -> None:
    found = load_policy(folder)
    features = features_of(kept.texts)
    for name in ("right", "nano_usd", "novelty"):
        before, after = (
            getattr(each.server.fitted.forecast(features, kept.prompt_tokens), name) for each in (stored.policy, found)
        )
        assert before.tobytes() == after.tobytes(), name
        for text in kept.texts[:20]:
            one, two = (each.server.forecast(text, np.full(3, 7.0)) for each in (stored.policy, found))
            assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name
    assert (found.arms, found.reference, found.kind) == (stored.policy.arms, "arm2", "nano_usd")
    assert found.version == stored.policy.version
    assert found.version.startswith("joint/1+")


def test_the_rest_of_the_folder_comes_back(stored: StoredPolicy, folder: Path) -> None:
    found = load_stored(folder)
    assert found.origin == stored.origin
    assert found.origin.num_rows == 300
    assert found.prompts == stored.prompts
    for name, array in stored.seen.arrays().items():
        assert (found.seen.arrays()[name] == array).all(), name
    assert sorted(path.name for path in folder.iterdir()) == [
        "held_out.safetensors",
        "policy.json",
        "policy.safetensors",
    ]
    save_policy(found, folder.with_name("again"))
    for path in folder.iterdir():
        assert path.read_bytes() == (folder.with_name("again") / path.name).read_bytes()


def test_what_is_stored_holds_no_text(folder: Path) -> None:
    for path in folder.iterdir():
        assert b"another order" not in path.read_bytes()


def test_an_ungrown_and_a_grown_policy_are_stored_alike(stored: StoredPolicy, tmp_path: Path) -> None:
    few = table(40, 3).columns([1])
    few = replace(few, arms=(TableArm("new", "new"),))
    grown = grow_policy(stored, few)
    save_policy(grown, tmp_path / "grown")
    found = load_stored(tmp_path / "grown")
    assert found.policy.arms == ("arm0", "arm1", "arm2", "new")
    assert found.origin.joined == ["new"]
    assert found.policy.version == grown.policy.version != stored.policy.version
    before, after = (each.policy.server.forecast("What is 1 + 2 ?", np.full(4, 5.0)) for each in (grown, found))
    assert before.right.tobytes() == after.right.tobytes()
    assert found.seen.interval(3, 0.5) is None
    assert found.seen.interval(0, 0.5) is not None
    assert len(found.seen.overlapping(few)) == 40
    assert "already" in refused(lambda: grow_policy(found, few), "arm_exists")


def test_the_version_is_of_what_decides(stored: StoredPolicy) -> None:
    policy, fitted = stored.policy, stored.policy.server.fitted
    same = policy_of(policy.arms, "arm2", fitted)
    other = [
        policy_of(policy.arms, "arm1", fitted),
        policy_of(policy.arms, "arm2", fitted, certificate()),
        policy_of(policy.arms, "arm2", fitted, replace(certificate(), most_novel=0.5)),
        policy_of(policy.arms, "arm2", replace(fitted, novelty=replace(fitted.novelty, intercept=0.0))),
        policy_of(policy.arms, "arm2", replace(fitted, neighbours=fitted.neighbours, space=_scaled(fitted.space))),
    ]
    assert same.version == policy.version
    assert len({policy.version, *(each.version for each in other)}) == 6


def _scaled(space: Any) -> Any:
    return replace(space, scale=space.scale * 2)


def test_a_certificate_stands_beside_its_policy(folder: Path) -> None:
    bare = load_policy(folder)
    save_certificate(certificate(), folder)
    found = load_policy(folder)
    assert found.certificate == certificate()
    assert found.version != bare.version
    save_certificate(replace(certificate(), num_rows=700), folder)
    assert json.loads((folder / "certificate.dropped-1.json").read_text())["dropped"] == "replaced by a newer one"
    target = drop_certificate(folder, "routing was worse than the reference arm")
    assert target == folder / "certificate.dropped-2.json"
    assert json.loads(target.read_text())["dropped"] == "routing was worse than the reference arm"
    assert load_policy(folder).certificate is None
    assert load_policy(folder).version == bare.version
    assert drop_certificate(folder, "again") is None


def test_an_infinite_price_is_kept(folder: Path) -> None:
    endless = replace(certificate(), setting=Setting(float("inf"), 0.0))
    save_certificate(endless, folder)
    assert load_policy(folder).certificate == endless


def test_a_certificate_of_another_policy_is_refused(folder: Path, tmp_path: Path) -> None:
    save_certificate(certificate(), folder)
    save_policy(fit_policy(table(300, 0), "arm1"), tmp_path / "other")
    (tmp_path / "other" / "certificate.json").write_bytes((folder / "certificate.json").read_bytes())
    assert "calibrate again" in refused(lambda: load_policy(tmp_path / "other"), "other_certificate")
    refused(lambda: save_certificate(certificate(("a", "b")), folder), "other_certificate")
    assert load_policy(folder).certificate == certificate()


def test_a_new_policy_drops_the_old_certificate(stored: StoredPolicy, folder: Path) -> None:
    save_certificate(certificate(), folder)
    save_policy(stored, folder)
    assert load_policy(folder).certificate is None
    assert "another policy" in json.loads((folder / "certificate.dropped-1.json").read_text())["dropped"]
    save_policy(replace(stored, policy=replace(stored.policy, certificate=certificate())), folder)
    assert load_policy(folder).certificate == certificate()


def test_a_damaged_certificate_can_be_dropped(folder: Path) -> None:
    (folder / "certificate.json").write_text("{")
    assert "certificate.json" in refused(lambda: load_policy(folder))
    drop_certificate(folder, "damaged")
    assert (folder / "certificate.dropped-1.json").read_text() == "{"
    assert (folder / "certificate.dropped-1.reason.txt").read_text() == "damaged\n"


def test_a_save_that_ends_early_leaves_nothing_that_loads(
    stored: StoredPolicy, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = fit_policy(table(100, 5))
    replaced = Path.replace

    def fails(self: Path, target: Path) -> Path:
        if target.name == "policy.json":
            raise OSError(28, "no space left")
        return replaced(self, target)

    monkeypatch.setattr(Path, "replace", fails)
    for place in (folder, folder.with_name("fresh")):
        with pytest.raises(OSError, match="no space"):
            save_policy(other, place)
        refused(lambda place=place: load_policy(place))
        assert not [path for path in place.iterdir() if path.name.startswith(".")], "nothing is left lying about"


@pytest.mark.parametrize("name", ["policy.json", "policy.safetensors", "held_out.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "empty"])
def test_damaged_files(folder: Path, name: str, damage: str) -> None:
    path = folder / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        middle = len(data) // 2
        flipped = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
        path.write_bytes({"truncated": data[:middle], "flipped": flipped, "empty": b""}[damage])
    assert name in refused(lambda: load_stored(folder))


def changed_json(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads((folder / "policy.json").read_text())
    change(record)
    (folder / "policy.json").write_text(json.dumps(record))


def changed_arrays(folder: Path, change: Callable[[dict[str, Any]], object], name: str = "policy.safetensors") -> None:
    arrays = load_file(folder / name)
    change(arrays)
    save_file(arrays, folder / name)
    digest = sha256((folder / name).read_bytes()).hexdigest()

    def named(record: dict[str, Any]) -> None:
        if name == "policy.safetensors":
            record["decides"]["arrays_sha256"] = digest
        else:
            record["held_out_sha256"] = digest

    changed_json(folder, named)


def _set(name: str, value: float) -> Callable[[dict[str, Any]], object]:
    def change(arrays: dict[str, Any]) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name].flat[0] = value

    return change


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("space.rarity", lambda a: a.pop("space.rarity")),
        ("space.projection", lambda a: a.update({"space.projection": a["space.projection"][1:].copy()})),
        ("space.center", _set("space.center", np.nan)),
        ("space.scale", _set("space.scale", 0.0)),
        ("space.buckets", _set("space.buckets", -1)),
        ("learner.0.weights", _set("learner.0.weights", np.inf)),
        ("learner.3.intercept", lambda a: a.update({"learner.3.intercept": a["learner.3.intercept"].astype("f4")})),
        ("learner.6.directions", lambda a: a.update({"learner.6.directions": a["learner.6.directions"][:0].copy()})),
        ("learner.7.slopes", lambda a: a.update({"learner.7.slopes": a["learner.7.slopes"][1:].copy()})),
        ("learner.7.length_means", lambda a: a.pop("learner.7.length_means")),
        ("learner.7.weights", lambda a: a.update({"learner.7.weights": a["learner.7.weights"][1:].copy()})),
        ("learner.4", _set("learner.4.left", 0)),
        ("learner.4", _set("learner.4.feature", 10_000)),
        ("learner.4", _set("learner.4.roots", 10**8)),
        ("neighbours.targets", lambda a: a.update({"neighbours.targets": a["neighbours.targets"][:, :-1].copy()})),
    ],
)
def test_arrays_that_do_not_fit(folder: Path, field: str, change: Any) -> None:
    changed_arrays(folder, change)
    message = refused(lambda: load_policy(folder))
    assert f"policy.safetensors: {field}" in message


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("right", _set("right", np.nan)),
        ("texts", lambda a: a.update({"texts": a["texts"][:, :5].copy()})),
        ("is_billed", lambda a: a.pop("is_billed")),
    ],
)
def test_held_out_rows_that_do_not_fit(folder: Path, field: str, change: Any) -> None:
    changed_arrays(folder, change, "held_out.safetensors")
    assert f"held_out.safetensors: {field}" in refused(lambda: load_stored(folder))


def _within(*path: str) -> Callable[[Callable[[Any], object]], Callable[[dict[str, Any]], object]]:
    def to(change: Callable[[Any], object]) -> Callable[[dict[str, Any]], object]:
        def whole(record: dict[str, Any]) -> None:
            found: Any = record
            for name in path:
                found = found[name]
            change(found)

        return whole

    return to


_FORECASTER = _within("decides", "forecaster")


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("format", lambda r: r.update(format=2)),
        ("format", lambda r: r.pop("format")),
        ("decides.kind", lambda r: r["decides"].update(kind="euro")),
        ("decides.rule", lambda r: r["decides"].update(rule="joint/9")),
        ("decides.arms", lambda r: r["decides"].update(arms=["a", "a"])),
        ("decides.reference", lambda r: r["decides"].update(reference="z")),
        ("novelty.weights", _FORECASTER(lambda f: f["novelty"].update(weights=[1.0]))),
        ("novelty.intercept", _FORECASTER(lambda f: f["novelty"].update(intercept=None))),
        ("right.directions", _FORECASTER(lambda f: f["right"]["directions"][0].pop())),
        ("lengths.mean", _FORECASTER(lambda f: f["lengths"]["mean"].pop())),
        ("right.known", _FORECASTER(lambda f: f["right"]["known"][0].append(1.0))),
        ("right.known", _FORECASTER(lambda f: [row.append(1.0) for row in f["right"]["known"]])),
        ("prices.correction", _FORECASTER(lambda f: f["prices"]["correction"].append(1.0))),
        ("recalibration.curves", _FORECASTER(lambda f: f["recalibration"]["curves"].pop())),
        ("recalibration.curves", _FORECASTER(lambda f: f["recalibration"].update(curves=[[1.0, -0.1, 0.0]] * 3))),
        ("recalibration.shares", _FORECASTER(lambda f: f["recalibration"]["shares"].append(0.5))),
        ("recalibration.shares", _FORECASTER(lambda f: f["recalibration"].update(shares=[0.5, 1.5, 0.5]))),
        ("budgets", _FORECASTER(lambda f: f.update(budgets=[[[7, True]]]))),
        ("forecaster", _FORECASTER(lambda f: f.update(surprise=1))),
        ("learners", _FORECASTER(lambda f: f["learners"][0].update(kind="pickle"))),
        ("learners", _FORECASTER(lambda f: f["learners"][6].update(num_nearest=0))),
        ("neighbours", _FORECASTER(lambda f: f["neighbours"].update(view="text"))),
        ("prompts", lambda r: r["prompts"]["base"].pop()),
    ],
)
def test_records_that_do_not_fit(folder: Path, field: str, change: Any) -> None:
    changed_json(folder, change)
    message = refused(lambda: load_stored(folder))
    assert "policy.json: " in message
    assert field in message


def test_a_record_of_before_there_was_a_recalibration_changes_nothing(folder: Path) -> None:
    changed_json(folder, _FORECASTER(lambda f: f.pop("recalibration")))
    fitted = load_policy(folder).server.fitted
    assert (fitted.recalibration.shares == 0).all()
    assert b"recalibration" not in msgspec.json.encode(msgspec.structs.replace(pack(fitted)[0], recalibration=None))


@pytest.mark.parametrize("text", ["", "[]", "nonsense", "\udcff", '{"a":' * 100_000, '{"format": 1e999}'])
def test_files_that_are_no_record(folder: Path, text: str) -> None:
    for name in ("certificate.json", "policy.json"):
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        assert name in refused(lambda: load_policy(folder))


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("format", {"format": 3}),
        ("promise", {"kept": 1.5}),
        ("setting", {"price": -1.0}),
        ("setting", {"most_novel": 2.0}),
        ("setting", {"usual_novelty": -0.1}),
        ("setting", {"num_rows": 0}),
        ("caution", {"caution": None}),
    ],
)
def test_certificates_that_do_not_fit(folder: Path, field: str, change: dict[str, Any]) -> None:
    save_certificate(certificate(), folder)
    path = folder / "certificate.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    message = refused(lambda: load_policy(folder))
    assert f"certificate.json: {field}" in message


def test_a_number_beyond_floats_is_refused(folder: Path) -> None:
    intercept = json.loads((folder / "policy.json").read_text())["decides"]["forecaster"]["novelty"]["intercept"]
    text = (folder / "policy.json").read_text()
    (folder / "policy.json").write_text(text.replace(f'"intercept": {intercept!r}', '"intercept": 1e999'))
    assert "intercept" in refused(lambda: load_policy(folder))


def test_learners_of_others_are_not_stored(stored: StoredPolicy) -> None:
    class Other:
        def predict(self, points: Any) -> Any:
            return points

    strange = replace(stored.policy.server.fitted, learners=(Other(),))
    refused(lambda: policy_of(stored.policy.arms, "arm2", strange), "not_storable")


def test_loading_and_forecasting_need_no_torch(folder: Path) -> None:
    code = (
        "import sys, numpy; from pathlib import Path; from pointsman.query.storing import load_policy; "
        f"load_policy(Path({str(folder)!r})).server.forecast('What is 1 + 2 ?', numpy.full(3, 5.0)); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_subsets_of_learners_are_stored(tmp_path: Path) -> None:
    from pointsman.query.forecasting import Sample
    from pointsman.query.seen import SeenRows

    outcomes = table(100, 0)
    fitted, held_out = Joint(learners=("smooth", "text")).fit_held_out(Sample(outcomes, features_of(outcomes.texts)), 0)
    whole = fit_policy(table(60, 2))
    policy = policy_of(outcomes.names, "arm2", fitted)
    save_policy(replace(whole, policy=policy, seen=SeenRows.of(outcomes, held_out)), tmp_path)
    tokens = np.full(3, 5.0)
    found = load_policy(tmp_path).server.forecast("What is 1 ?", tokens)
    assert found.right.tobytes() == Server.of(fitted).forecast("What is 1 ?", tokens).right.tobytes()


def test_calibration_makes_a_certificate(stored: StoredPolicy, kept: Outcomes, folder: Path) -> None:
    found = calibrate_policy(stored, kept, Promise.of_quality(0.95), 0.9)
    assert found.certificate is not None
    assert found.certificate.saving > 0.1
    assert (found.certificate.num_rows, found.certificate.most_novel) == (600, 0.9)
    save_certificate(found.certificate, folder)
    policy = load_policy(folder)
    reasons = {policy.decide(text, np.full(3, 10.0), Wish()).reason for text in kept.texts[:50]}
    assert "certified" in reasons


def test_rows_that_were_fitted_on_do_not_calibrate(stored: StoredPolicy, kept: Outcomes) -> None:
    train = table(300, 0)
    promise = Promise.of_quality(0.95)
    message = refused(lambda: calibrate_policy(stored, train, promise), "calibration_overlaps")
    assert message.startswith("300 of 300 rows, first '0-0', were fitted on")
    by_text = replace(train, ids=tuple(f"other{name}" for name in train.ids)).rows([7])
    assert stored.seen.overlapping(by_text) == ["other0-7"]
    by_id = replace(kept, ids=("0-5", *kept.ids[1:]))
    assert stored.seen.overlapping(by_id) == ["0-5"]
    assert "another order" not in message


def test_what_cannot_be_promised(stored: StoredPolicy, kept: Outcomes) -> None:
    refused(lambda: calibrate_policy(stored, kept.rows(range(40)), Promise.of_quality(0.99)), "too_few_rows")
    unknown = replace(kept, prompt_tokens=np.full(kept.right.shape, np.nan))
    refused(lambda: calibrate_policy(stored, unknown, Promise.of_quality(0.9)), "prompt_tokens_unknown")
    silent = replace(kept, texts=("",) * len(kept))
    refused(lambda: calibrate_policy(stored, silent, Promise.of_quality(0.9)), "no_texts")
    best = best_reachable(stored, kept, Promise.of_quality(0.9999))
    assert best is not None
    assert 0.9 < best < 0.9999
    assert calibrate_policy(stored, kept, Promise.of_quality(best)).certificate is not None


def test_a_request_is_explained(stored: StoredPolicy) -> None:
    sums = explain(stored, "What is 3 + 4 + 5 ?", Wish(price=1e4))
    words = explain(stored, "Put these in another order: pearl, ocean, noble, maple, larch, knoll", Wish(price=1e4))
    assert (sums.choice.arm, words.choice.arm) == ("arm0", "arm1")
    for found in (sums, words):
        assert found.moves[0].most in ("arm0", "arm1")
        for each in found.arms:
            assert each.low is not None
            assert each.high is not None
            assert 0 <= each.low <= each.high <= 1
            assert each.num_similar == 30
    assert [each.what for each in sums.unusual][:2] == ["share of signs", "share of capitals"]
    assert [each.what for each in explain(stored, "NOT NOT " * 40, Wish()).unusual if "says" in each.what]
    assert sums.moves[0].coordinate * words.moves[0].coordinate < 0
    assert sums.prompt_tokens == pytest.approx([19 / 4] * 3, abs=0.5)
    assert "without a certificate" in explain(stored, "What is 3 ?", Wish()).sentence
