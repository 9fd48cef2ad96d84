"""Policies with sequences: from a table to a folder and back, certified, explained, left out where they do not pay."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pointsman.core import BadRequest
from pointsman.query.certifying import courses_of
from pointsman.query.explaining import explain
from pointsman.query.learning import best_reachable, calibrate_policy, fit_policy, forecasts_of, grow_policy
from pointsman.query.outcomes import Outcomes, TableArm
from pointsman.query.policy import Wish
from pointsman.query.promise import Promise
from pointsman.query.sequences import Look
from pointsman.query.storing import StoredPolicy, load_policy, load_stored, save_certificate, save_policy

PROMISE = Promise(0.03, 0.9)
ARMS = ("small", "small?n=3", "large")


def table(num_rows: int, seed: int, telling: float = 0.98) -> Outcomes:
    """Texts say nothing of who is right; the votes of the second arm agree mostly where they are."""
    rng = np.random.default_rng(seed)
    texts = tuple(f"{seed} " + " ".join(rng.choice(["amber", "birch", "cedar", "delta"], 6)) for _ in range(num_rows))
    easy = rng.random(num_rows) < 0.6
    right = np.column_stack([easy, easy, rng.random(num_rows) < 0.95]).astype(float)
    agreement = np.full(right.shape, math.nan)
    agreement[:, 1] = np.where(rng.random(num_rows) < telling, easy, rng.random(num_rows) < 0.5)
    ids = tuple(f"{seed}-{row}" for row in range(num_rows))
    arms = tuple(TableArm(name, name) for name in ARMS)
    cost = rng.uniform(0.9, 1.1, right.shape) * [1e3, 2.5e3, 3e4]
    nothing, unknown = np.full(right.shape, -1), np.full(right.shape, np.nan)
    return Outcomes(ids, texts, ("",) * num_rows, arms, right, cost, unknown, unknown, nothing, agreement)


@pytest.fixture(scope="module")
def stored() -> StoredPolicy:
    return fit_policy(table(400, 0))


@pytest.fixture
def folder(stored: StoredPolicy, tmp_path: Path) -> Path:
    save_policy(stored, tmp_path / "policy")
    return tmp_path / "policy"


def refused(call: Callable[[], object], code: str = "bad_policy") -> str:
    with pytest.raises(BadRequest) as caught:
        call()
    assert caught.value.code == code
    return caught.value.message


def test_looks_that_pay_are_kept_with_the_policy(stored: StoredPolicy, folder: Path) -> None:
    sequences = stored.policy.sequences
    assert sequences is not None
    assert sequences.looks == (Look((1,)),)
    found = load_stored(folder)
    assert found.policy.sequences is not None
    assert found.policy.sequences.looks == sequences.looks
    for name in ("agreeing", "moved"):
        assert getattr(found.policy.sequences, name).tobytes() == getattr(sequences, name).tobytes()
    assert found.policy.version == stored.policy.version
    for name, array in stored.seen.arrays().items():
        assert (found.seen.arrays()[name] == array).all(), name
    held_out, outcomes = found.seen.for_certify(found.policy.arms)
    assert len(held_out.right) == 400
    assert np.array_equal(outcomes.agreement, table(400, 0).agreement, equal_nan=True)
    save_policy(found, folder.with_name("again"))
    for path in folder.iterdir():
        assert path.read_bytes() == (folder.with_name("again") / path.name).read_bytes()


def test_where_looks_do_not_pay_the_folder_is_as_without_them(tmp_path: Path) -> None:
    found = fit_policy(table(200, 1, telling=0.0))
    assert found.policy.sequences is None
    save_policy(found, tmp_path)
    assert "looks" not in json.loads((tmp_path / "policy.json").read_text())["decides"]
    assert not {"answers", "agreement"} & set(load_file(tmp_path / "held_out.safetensors"))
    assert not [name for name in load_file(tmp_path / "policy.safetensors") if name.startswith("sequences")]


def test_looks_are_part_of_what_decides(stored: StoredPolicy, folder: Path) -> None:
    calibration = calibrate_policy(stored, table(600, 2), PROMISE)
    assert calibration.certificate is not None
    save_certificate(calibration.certificate, folder)
    with_looks = load_policy(folder)
    assert with_looks.certificate == calibration.certificate
    assert with_looks.version != stored.policy.version
    without = replace(calibration.certificate, setting=replace(calibration.certificate.setting, looks=False))
    save_certificate(without, folder)
    assert load_policy(folder).version != with_looks.version
    refused(lambda: replace(with_looks, sequences=None), "other_certificate")


def test_a_certificate_is_of_the_played_outcomes(stored: StoredPolicy) -> None:
    kept = table(600, 2)
    found = calibrate_policy(stored, kept, PROMISE)
    certificate, sequences = found.certificate, stored.policy.sequences
    assert certificate is not None
    assert sequences is not None
    assert certificate.setting.looks
    assert found.num_untold == 0
    courses = courses_of(forecasts_of(stored.policy.server.fitted, kept), 2, certificate.setting, 1.0, sequences)
    _, paid = sequences.played(courses, kept, sequences.seen(kept))
    assert certificate.saving == pytest.approx(1 - paid.mean() / kept.nano_usd[:, 2].mean())
    assert certificate.saving > 0.3
    alone = calibrate_policy(replace(stored, policy=replace(stored.policy, sequences=None)), kept, PROMISE)
    assert alone.certified.saving < 0.05, "no arm alone saves much here"
    reached = best_reachable(stored, kept, Promise.of_quality(0.9999))
    assert reached is not None
    assert reached > 0.9


def test_rows_that_do_not_tell_are_no_proof_of_looks(stored: StoredPolicy) -> None:
    kept = table(600, 2)
    agreement = kept.agreement.copy()
    agreement[:3] = np.nan
    found = calibrate_policy(stored, replace(kept, agreement=agreement), PROMISE)
    assert found.num_untold == 3
    assert found.certified.setting is None or not found.certified.setting.looks


def test_a_new_arm_leaves_sequences_out(stored: StoredPolicy, tmp_path: Path) -> None:
    few = table(40, 3).columns([0])
    grown = grow_policy(stored, replace(few, arms=(TableArm("new", "new"),)))
    assert grown.policy.sequences is None
    save_policy(grown, tmp_path)
    assert load_stored(tmp_path).policy.arms == (*ARMS, "new")


KNOWN = table(400, 0).texts[0]


def test_a_novel_request_is_not_looked_at(stored: StoredPolicy) -> None:
    for text, has_steps in ((KNOWN, True), ("zebra?", False)):
        assert (explain(stored, text, Wish(price=2e5)).choice.steps is not None) == has_steps


def test_a_sequence_is_explained(stored: StoredPolicy) -> None:
    calibration = calibrate_policy(stored, table(600, 2), PROMISE)
    certified = replace(stored, policy=replace(stored.policy, certificate=calibration.certificate))
    found = explain(certified, KNOWN, Wish())
    steps = found.choice.steps
    assert steps is not None
    assert (steps.first, steps.if_agree, steps.if_differ) == (("small?n=3",), "small?n=3", "large")
    assert steps.quote.arm == "sequence/small?n=3"
    assert found.sentence.startswith("small?n=3 first; where its votes agree (")
    assert ", small?n=3 answers, else large; worth most under the certified setting" in found.sentence
    priced = explain(certified, KNOWN, Wish(price=2e5))
    assert "all that is called" in priced.sentence
    allowed = explain(certified, KNOWN, Wish(max_cost=1e5))
    assert "at worst" in allowed.sentence
    above = explain(certified, KNOWN, Wish(quality=1.0))
    assert (above.choice.arm, above.choice.steps) == ("large", None)


@pytest.mark.parametrize("looks", [[], [[3]], [[-1]], [[0, 0]], [[0, 1, 2]], [[]], [[1], [0]], "all", [["a"]], [[0.5]]])
def test_looks_that_do_not_fit_are_refused(folder: Path, looks: Any) -> None:
    record = json.loads((folder / "policy.json").read_text())
    record["decides"]["looks"] = looks
    (folder / "policy.json").write_text(json.dumps(record))
    message = refused(lambda: load_policy(folder))
    assert "looks" in message or "sequences" in message


@pytest.mark.parametrize(
    ("file", "field", "change"),
    [
        ("policy.safetensors", "sequences.moved", lambda array: array[:, :, :2].copy()),
        ("policy.safetensors", "sequences.agreeing", lambda array: array * np.nan),
        ("held_out.safetensors", "answers", lambda array: array[1:].copy()),
        ("held_out.safetensors", "agreement", None),
    ],
)
def test_arrays_of_sequences_that_do_not_fit_are_refused(folder: Path, file: str, field: str, change: Any) -> None:
    arrays = load_file(folder / file)
    array = arrays.pop(field)
    save_file(arrays if change is None else arrays | {field: change(array)}, folder / file)
    record = json.loads((folder / "policy.json").read_text())
    place = record["decides"] if file == "policy.safetensors" else record
    name = "arrays_sha256" if file == "policy.safetensors" else "held_out_sha256"
    place[name] = sha256((folder / file).read_bytes()).hexdigest()
    (folder / "policy.json").write_text(json.dumps(record))
    assert f"{file}: {field}" in refused(lambda: load_stored(folder))
