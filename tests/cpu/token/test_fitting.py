"""A fit makes every gate, and an interrupted one goes on where it was."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pointsman.core import BadRequest
from pointsman.engine import Sampling, generate
from pointsman.engine.store import Store
from pointsman.token import collecting, fitting
from pointsman.token.batch import generate_pair
from pointsman.token.collecting import Settings
from pointsman.token.fitting import KINDS, Fit
from pointsman.token.method import ours
from pointsman.token.pair import Pair
from pointsman.token.prices import Currency, Prices
from pointsman.token.router import load_gates
from pointsman.token.tasks import Task

SETTINGS = Settings("letters", tolerance=0.2, max_tokens=12)


class Heard:
    """A `Progress` that remembers, and may interrupt."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.stages: list[str] = []
        self.done: list[tuple[str, int]] = []
        self._interrupt_at = interrupt_at

    def begin(self, what: str, total: int) -> None:
        self.stages.append(what)

    def advance(self, done: int, told: str) -> None:
        self.done.append((self.stages[-1], done))
        if len(self.done) == self._interrupt_at:
            raise KeyboardInterrupt


@pytest.fixture
def tasks(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Twelve prompts; a text is right where it is long enough. Half have references."""
    monkeypatch.setattr(collecting, "CHUNK_TASKS", 4)
    ending = Sampling(max_tokens=12)
    prompts = [(5 + index, 6, 7) for index in range(24)]
    texts = generate(pair.large, prompts, ending)
    return [
        Task(prompt, (*text.tokens[:8], 1) if index % 2 else (), lambda output: len(output) >= 2)
        for index, (prompt, text) in enumerate(zip(prompts, texts, strict=True))
    ]


def weights(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("*/gate.*"))}


def test_every_gate_is_made_and_writes(pair: Pair, tasks: list[Task], tmp_path: Path) -> None:
    heard = Heard()
    Fit(pair, tasks, SETTINGS, tmp_path, heard).run()
    gates = load_gates(tmp_path, pair)
    assert set(gates) == {*KINDS, "citer-1", "pointsman-1"}
    for name, (gate, card) in gates.items():
        assert card.kind == name.removesuffix("-1")
        assert card.data == "letters"
        assert card.figures["labels"] > 10
        assert 0 < card.figures["labels_that_stand"] < 1
        assert gate.traffic.weight_bytes > 0
    gate, _ = gates["pointsman"]
    prompts = [task.prompt for task in tasks[:4]]
    strict = generate_pair(pair, ours(gate, 0.3, 0.0, 0.0), prompts, Sampling(max_tokens=12))
    assert [text.tokens for text in strict] == [
        t.tokens for t in generate(pair.large, prompts, Sampling(max_tokens=12))
    ]


@pytest.mark.parametrize("currency", ["seconds", "flops"])
def test_the_threshold_can_follow_other_prices(
    pair: Pair, tasks: list[Task], currency: Currency, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Prices] = []

    def kept(prices: Prices, *spans: object) -> tuple[float, float]:
        asked.append(prices)
        return 0.4, 1.0

    monkeypatch.setattr(fitting, "best_threshold", kept)
    Fit(pair, tasks, SETTINGS, tmp_path, Heard(), currency=currency).run(("pointsman",))
    assert {prices.currency for prices in asked} == {currency}
    assert min(prices.small for prices in asked) > 0
    assert load_gates(tmp_path, pair)["pointsman"][1].figures["least_survival"] == 0.4


def test_an_interrupted_fit_goes_on_and_ends_the_same(pair: Pair, tasks: list[Task], tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    Fit(pair, tasks, SETTINGS, whole, Heard()).run(("citer", "pointsman"))
    for at in (3, 9, 20):
        with pytest.raises(KeyboardInterrupt):
            Fit(pair, tasks, SETTINGS, parts, Heard(at)).run(("citer", "pointsman"))
    written = {path.name: path.stat().st_mtime_ns for path in (parts / "work").iterdir()}
    Fit(pair, tasks, SETTINGS, parts, Heard()).run(("citer", "pointsman"))
    assert weights(parts) == weights(whole)
    kept = {path.name: path.stat().st_mtime_ns for path in (parts / "work").iterdir()}
    assert written.items() <= kept.items()  # nothing was made twice
    assert len(written) > 3


def test_other_settings_make_everything_anew(pair: Pair, tasks: list[Task], tmp_path: Path) -> None:
    first, second = Store(tmp_path, "one"), Store(tmp_path, "two")
    assert first.chunk("a", lambda: {"x": torch.ones(1)})["x"].item() == 1
    assert first.chunk("a", lambda: {"x": torch.zeros(1)})["x"].item() == 1
    assert second.chunk("a", lambda: {"x": torch.zeros(1)})["x"].item() == 0


def test_a_chunk_that_was_cut_off_is_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path, "one")
    store.chunk("a", lambda: {"x": torch.ones(5)})
    path = tmp_path / "a.safetensors"
    path.write_bytes(path.read_bytes()[:-3])
    assert store.chunk("a", lambda: {"x": torch.zeros(5)})["x"].sum() == 0


def test_without_right_texts_nothing_is_forgiven(pair: Pair, tasks: list[Task], tmp_path: Path) -> None:
    hopeless = [replace(task, is_right=lambda _: False) for task in tasks]
    for name, given, outputs in (("wrong", hopeless, 1), ("right", tasks, 2)):
        Fit(pair, given, SETTINGS, tmp_path / name, Heard()).run(("pointsman",))
        gates = load_gates(tmp_path / name, pair)
        assert gates["pointsman"][0].shape.outputs == outputs
        assert gates["outlook"][0].shape.outputs == 2


def test_tasks_that_nobody_answers_teach_nothing(pair: Pair, tmp_path: Path) -> None:
    hopeless = [Task((5, 6), (), lambda _: False)]
    with pytest.raises(BadRequest, match="answers none of the tasks rightly") as caught:
        Fit(pair, hopeless, SETTINGS, tmp_path, Heard()).run(("citer",))
    with pytest.raises(BadRequest, match="answers none of the tasks rightly"):
        Fit(pair, hopeless, SETTINGS, tmp_path, Heard()).run(("r2r",))
    assert caught.value.code == "no_right_texts"
