"""`pm(...)` runs the command line in this process; `artefact(...)` makes a table without its slow test."""

import hashlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pointsman.cli import main
from pointsman.program import Table, frontend
from pointsman.program.compiler import build_program
from pointsman.program.proof.certificate import Certificate


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Pm = Callable[..., Result]


@pytest.fixture
def pm(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Pm:
    """Runs a command in an empty folder. No command may end in a traceback."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object, stdin: bytes | io.BytesIO = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["pointsman", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, out, err)

    return run


def saved(path: Path, source: str, entry: str = "f", *, opaque: bool = False) -> Path:
    """An artefact of a source text, which is written beside it."""
    file = path.with_name(path.name.partition(".")[0] + ".py")
    file.write_text(source)
    lowered = frontend.lower_program(frontend.Module.parse(source, str(file)), entry, allow_opaque=opaque)
    sha256 = hashlib.sha256(source.encode()).hexdigest()
    Table(build_program(lowered, entry), Certificate((), 0, 0), file.name, sha256).save(path)
    return path


@pytest.fixture
def artefact(tmp_path: Path) -> Callable[..., Path]:
    """`artefact(source, name="f", opaque=False, entry="f")` gives the path of a saved table."""

    def make(source: str, name: str = "f", *, opaque: bool = False, entry: str = "f") -> Path:
        return saved(tmp_path / f"{name}.route.json", source, entry, opaque=opaque)

    return make
