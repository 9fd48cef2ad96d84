"""`pointsman evaluate embedded` on untrained models: the report holds whatever comes out."""

import json
from pathlib import Path

import pytest
import torch

from pointsman.bench import embedded
from pointsman.embedded.evaluation import draw_problems, grade
from pointsman.embedded.problems import DIFFICULTIES
from pointsman.embedded.vocabulary import build_tokenizer, save_tokenizer
from pointsman.engine import Decoder, ModelConfig, load_model, save_weights

FIGURES = [
    "large_steps_accuracy",
    "small_steps_accuracy",
    "large_direct_accuracy",
    "small_direct_accuracy",
    "small_over_large_params",
    "shipped_bytes",
]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    found = {}
    for size, width in (("large", 32), ("small", 16)):
        vocab_size = build_tokenizer("large").get_vocab_size()
        config = ModelConfig(
            "Qwen3ForCausalLM", vocab_size, width, 32, 1, 2, 2, 8, 400, ties_embedding=True, has_qk_norm=True
        )
        decoder = Decoder(config)
        decoder.initialise(torch.Generator().manual_seed(0))
        found[size] = tmp_path_factory.mktemp(size)
        save_weights(decoder, found[size])
        save_tokenizer(found[size], "large")
    return found


def test_the_report_has_every_figure_and_the_curves(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(embedded, "_QUICK_EACH", 1)
    families = {"facts": embedded.FAMILIES["facts"], "extraction": embedded.FAMILIES["extraction"]}
    monkeypatch.setattr(embedded, "FAMILIES", families)
    monkeypatch.setattr(embedded, "draw_problems", lambda n, split, seed: draw_problems(n, split, seed, list(families)))
    embedded.main(quick=True, seed=3, plot=tmp_path / "plot.png", folders=folders)
    record = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sorted(record["figures"]) == sorted(FIGURES)
    assert (record["bench"], record["seed"], record["quick"]) == ("embedded", 3, True)
    assert record["figures"]["large_steps_accuracy"]["n"] == 2 * len(DIFFICULTIES)
    assert 0 < record["figures"]["small_over_large_params"]["value"] < 1
    assert [point["difficulty"] for point in record["curves"]["facts"]] == list(DIFFICULTIES)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_a_right_text_is_graded_right(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    problems = draw_problems(1, "test", 0, ["facts"])
    model = load_model(str(folders["small"]))
    graded = list(grade(model, problems, "direct", num_rows=3))
    assert sorted(each.problem.prompt for each in graded) == sorted(problem.prompt for problem in problems)
    for each in graded:
        assert each.is_right == (each.text.finish_reason == "stop" and each.problem.is_right(each.text.text))


def test_a_plot_that_cannot_be_drawn_is_an_error(tmp_path: Path) -> None:
    from pointsman.bench.plotting import draw_panels
    from pointsman.core import BadRequest

    for name in ("plot.nonsense", "no/such/folder/plot.png"):
        with pytest.raises(BadRequest, match="cannot draw to"):
            draw_panels({"a": {"line": [0.0, 1.0]}}, [1, 2], "x", "y", tmp_path / name)
