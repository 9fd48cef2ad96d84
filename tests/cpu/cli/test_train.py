"""`pointsman train embedded` and `pointsman evaluate embedded`: what the options do."""

from pathlib import Path
from typing import Any

import pytest

from pointsman.bench import embedded as bench
from pointsman.cli import train as command
from pointsman.embedded import run


@pytest.fixture(autouse=True)
def _no_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_preload_tcmalloc", lambda: None)


def test_options_reach_the_run(pm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def train(size: str, seconds: float, folder: Path, **options: Any) -> Path:
        seen.update(options, size=size, seconds=seconds, folder=folder)
        options["on_progress"](run.Progress(5, 30.0, 60.0, 1.5, 900.0, {"facts": [0.5, 0.25]}))
        return folder

    monkeypatch.setattr(run, "train", train)
    found = pm(
        "train", "embedded", "--size", "small", "--minutes", 1, "-o", tmp_path / "x", "--seed", 4, "--no-compile"
    )
    assert found.code == 0
    assert (seen["size"], seen["seconds"], seen["folder"]) == ("small", 60.0, tmp_path / "x")
    assert (seen["seed"], seen["compiles"], str(seen["device"])) == (4, False, "cpu")
    assert "evaluate embedded --small" in found.out
    assert "900 tokens/s" in found.err
    assert pm("train", "embedded", "--device", "cpu").code == 0
    assert (seen["size"], seen["seconds"], seen["folder"]) == ("large", 5400.0, Path("embedded-large"))


def test_a_gpu_that_is_not_there(pm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    found = pm("train", "embedded", "--device", "cuda")
    assert found.code == 2
    assert "no CUDA device" in found.err


@pytest.mark.parametrize("option", [("--minutes", "0"), ("--size", "huge"), ("--threads", "0")])
def test_options_out_of_range(pm: Any, option: tuple[str, str]) -> None:
    assert pm("train", "embedded", *option).code == 2


def test_evaluation_takes_the_shipped_pair_or_other_folders(
    pm: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(bench, "main", lambda **options: seen.update(options))
    assert pm("evaluate", "embedded", "--quick", "--large", tmp_path, "--plot", "x.svg", "--seed", 2).code == 0
    assert (seen["quick"], seen["seed"], seen["plot"]) == (True, 2, Path("x.svg"))
    assert seen["folders"]["large"] == tmp_path
    assert seen["folders"]["small"].name == "small"


def test_a_folder_without_a_model_is_an_error(pm: Any, tmp_path: Path) -> None:
    found = pm("evaluate", "embedded", "--quick", "--large", tmp_path)
    assert found.code == 2
    assert "config.json" in found.err
