"""The compilation cache: what is reused, and that a damaged entry or a folder without room costs time only."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.program import CompileOptions, compile_table
from pointsman.program.cache import Cache, default_folder
from pointsman.program.pipeline import Compiled

SOURCE = 'def f(a: bool):\n    """One."""\n    return 1 if a else 2\n'


def compiled(folder: Path, source: str = SOURCE, **options: object) -> Compiled:
    return compile_table(source, "f.py", "f", replace(CompileOptions(cache_folder=folder), **options))  # type: ignore[arg-type]


def test_the_default_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "pointsman"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_folder() == Path.home() / ".cache" / "pointsman"


def test_a_table_is_reused_with_the_name_and_text_of_its_new_source(tmp_path: Path) -> None:
    first = compiled(tmp_path)
    again = compiled(tmp_path, SOURCE.replace("One.", "Two.") + "# a comment\n")
    assert (first.reused, again.reused) == ((), ("table",))
    assert again.table.certificate == first.table.certificate
    assert again.table.description == "Two."
    assert again.table.source_sha256 != first.table.source_sha256


@pytest.mark.parametrize("damage", ["", "{}", "5", "[]", "null", '{"states": 5}', '{"tested": "x"}', "[" * 9000])
def test_a_damaged_entry_is_made_anew(tmp_path: Path, damage: str) -> None:
    expected = compiled(tmp_path).table.certificate
    entries = list(tmp_path.iterdir())
    assert {entry.name.partition("-")[0] for entry in entries} == {"table", "machine", "tested"}
    for entry in entries:
        entry.write_text(damage)
    healed = compiled(tmp_path)
    assert (healed.reused, healed.table.certificate) == ((), expected)
    assert all(json.loads(entry.read_text()) for entry in entries)
    assert compiled(tmp_path).reused == ("table",)


def test_a_table_of_a_smaller_test_is_not_reused(tmp_path: Path) -> None:
    assert compiled(tmp_path, seconds=0.0).table.certificate.inputs_tested == 0
    default = compiled(tmp_path)
    assert default.reused == ()
    assert default.table.certificate.inputs_tested > 0
    assert compiled(tmp_path, max_examples=1).reused == ()


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "file"
    file.write_text("")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert compiled(file / "cache").table.run(True).value == 1
    (record,) = caplog.records
    assert "cannot write to" in record.getMessage()
    assert str(file / "cache") in record.getMessage()


def test_no_folder_keeps_nothing() -> None:
    cache = Cache(None)
    cache.put("a", "b", 1)
    assert cache.get("a", "b", int) is None
