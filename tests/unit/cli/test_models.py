"""Which models the server offers, and when."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli.models import model_sources
from pointsman.core import Unsupported
from pointsman.embedded import model_folder
from pointsman.gateway import Config, ModelConfig, PairConfig, UpstreamConfig


@pytest.fixture
def has_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pointsman.cli.models.has_local", lambda: True)
    monkeypatch.setattr("pointsman.cli.models.require_local", lambda: None)


def names(settings: Config) -> list[str]:
    return [source.name for source in model_sources(settings)]


@pytest.mark.usefixtures("has_torch")
def test_the_pair_is_offered_beside_what_is_configured() -> None:
    ours = ["embedded/large", "embedded/small"]
    assert names(Config()) == [*ours, "embedded/pair"]
    pair = PairConfig("p", "a/b", "c/d", Path())
    assert names(Config(models=(ModelConfig("m", "a/b"),), pairs=(pair,))) == ["m", *ours, "p", "embedded/pair"]


@pytest.mark.usefixtures("has_torch")
def test_a_name_of_the_pair_that_is_taken_is_left_to_its_owner() -> None:
    models = (ModelConfig("embedded/large", "embedded/large", num_rows=2),)
    upstreams = (UpstreamConfig("u", "http://127.0.0.1", ("embedded/small", "embedded/pair")),)
    (large,) = model_sources(Config(models=models, upstreams=upstreams))
    assert large.name == "embedded/large"
    assert large.description.startswith("The large model of the pair")


def test_without_torch_nothing_is_offered_and_what_is_configured_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert names(Config()) == []
    with pytest.raises(Unsupported, match=r"pip install 'pointsman\[local\]'") as caught:
        names(Config(models=(ModelConfig("m", "a/b"),)))
    assert caught.value.code == "extra_missing"
    with pytest.raises(Unsupported, match=r"pip install 'pointsman\[local\]'"):
        names(Config(pairs=(PairConfig("p", "a/b", "c/d", Path()),)))


@pytest.mark.usefixtures("has_torch")
def test_a_load_without_torch_is_an_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = model_sources(Config())
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(Unsupported, match=r"pip install 'pointsman\[local\]'"):
        sources[0].load()


@pytest.mark.usefixtures("has_torch")
def test_serve_hands_over_the_models_of_the_file_and_of_flags(
    pm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []
    found_by: list[Any] = []

    def serve(*arguments: Any, source_of: Any) -> None:
        served.append(arguments)
        found_by.append(source_of("embedded/small"))

    monkeypatch.setattr("pointsman.gateway.serve", serve)
    (tmp_path / "pointsman.toml").write_text('[[model]]\nname = "first"\nsource = "a/b"\nnum_rows = 3\n')
    assert pm("serve", "--model", "c/d", "--model", "e/f").code == 0
    ((settings, sources, answerers, reader),) = served
    assert answerers is None
    assert reader is None
    assert found_by == [str(model_folder("small"))], "a policy may have learned with that model"
    assert [model.num_rows for model in settings.models] == [3, 8, 8]
    embedded = ["embedded/large", "embedded/small", "embedded/pair"]
    assert [source.name for source in sources] == ["first", "c/d", "e/f", *embedded]
    assert pm("serve", "--reader", "http://127.0.0.1:9/v1#m").code == 0
    assert served[1][0].server.readers == ("http://127.0.0.1:9/v1#m",)
    assert callable(served[1][2])
    assert "[invalid_endpoint]" in pm("serve", "--reader", "http://127.0.0.1:9/v1").err
    shown = json.loads(pm("serve", "--model", "c/d", "--print-config").out)
    assert [(model["name"], model["source"]) for model in shown["models"]] == [("first", "a/b"), ("c/d", "c/d")]
