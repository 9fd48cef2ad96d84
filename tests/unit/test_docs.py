"""The documents are true: commands print what is shown, snippets run, links resolve, lists are those of the code."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.dom import minidom

import pytest
import typer

from pointsman.cli.main import app, main
from pointsman.program import catalogue
from pointsman.program.artefact import encode_program
from pointsman.program.compiler import compile_source
from pointsman.program.frontend.refusal import REFUSALS
from pointsman.program.picture import to_svg

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "examples/README.md"])
PROGRAM_PAGE = (ROOT / "docs/program.md").read_text()

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_COUNTED = re.compile(r"on \d+ inputs")  # how many inputs fit into the differential test's seconds


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a document that are marked with one of these languages."""
    return [text for language, text in _FENCE.findall(path.read_text()) if language in languages]


def commands(path: Path) -> Iterator[list[str]]:
    """Every command line of `pointsman` in a document's blocks, as words."""
    for text in blocks(path, "", "console", "sh"):
        for line in text.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ")
            if words.startswith("pointsman "):
                yield shlex.split(words, comments=True)[1:]


def inline_commands(path: Path) -> Iterator[list[str]]:
    """The same in running text: `pointsman show x --svg`."""
    for text in re.findall(r"`pointsman ([a-z][^`\n]*)`", _FENCE.sub("", path.read_text())):
        yield text.split()


def cases(path: Path) -> list[tuple[str, str]]:
    """(command, what it prints) of a document's console blocks, in order."""
    found: list[tuple[str, str]] = []
    for text in blocks(path, "console"):
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether a document shows what was printed; a line `...` stands for any lines."""
    shown, printed = (_COUNTED.sub("on N inputs", text.strip("\n")) for text in (shown, printed))
    pattern = "".join(r"(?s:.*?)" if line == "..." else re.escape(line) + r"\n?" for line in shown.splitlines())
    return re.fullmatch(pattern, printed) is not None


def between(text: str, name: str) -> str:
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def test_a_block_matches_only_what_it_shows() -> None:
    assert matches("a\n...\nz\n", "a\nb\nc\nz\n")
    assert matches("1 on 7 inputs\n", "1 on 12 inputs\n")
    assert not matches("a\nz\n", "a\nb\nz\n")
    assert not matches("a\n", "a\nb\n")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist_with_their_options(path: Path) -> None:
    root = typer.main.get_command(app)
    for words in [*commands(path), *inline_commands(path)]:
        command = root
        rest = list(words)
        while rest and hasattr(command, "commands"):
            assert rest[0] in command.commands, f"{path.name}: no command {rest[0]!r} in: pointsman {' '.join(words)}"
            command = command.commands[rest.pop(0)]
        known = {"--help"}.union(*({*p.opts, *p.secondary_opts} for p in command.params))
        given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert given <= known, f"{path.name}: {given - known} in: pointsman {' '.join(words)}"


def test_the_readme_shows_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    shown = cases(README)
    assert len(shown) >= 8
    for command, output in shown:
        if not command.startswith("pointsman "):
            subprocess.run(command, shell=True, check=True)
            continue
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as end:
            sys.exit(main())
        printed = "".join(capfd.readouterr())
        assert end.value.code in (0, 1, None), f"{command} exits with {end.value.code}:\n{printed}"
        assert matches(output, printed), f"{command} prints\n{printed}"


def test_the_rounds_of_a_script_are_as_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    ((command, shown),) = cases(ROOT / "docs/program.md")
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as end:
        main()
    printed = capfd.readouterr()
    assert end.value.code == 0
    assert matches(shown, printed.err + printed.out), f"{command} prints\n{printed}"


def test_the_refusal_in_the_readme_is_the_one_that_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = next(text for text in blocks(README, "") if "not supported" in text)
    command, _, expected = shown.removeprefix("$ ").partition("\n")
    source = (
        "def total(path: str) -> int:\n    # of a file\n"
        "    with open(path) as lines:\n        return sum(int(line) for line in lines)\n"
    )
    (tmp_path / "bad.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capfd.readouterr().err == expected


def test_python_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.syspath_prepend(str(ROOT / "src"))
    executed = 0
    for path in DOCUMENTS:
        for text in blocks(path, "python"):
            tree = ast.parse(text)  # also those that need a client of somebody else's
            imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
            if "openai" not in imported:
                exec(compile(tree, str(path), "exec"), {"__name__": "snippet"})
                executed += 1
    assert executed


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere_and_no_path_is_of_one_machine(path: Path) -> None:
    text = path.read_text()
    for target in _LINK.findall(text):
        if target.startswith(("http://", "https://")):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        assert to.exists(), f"{path.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", to.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{path.name} links to {target}"
    assert not re.search(r"(?<![\w.~$])/(?:home|root|work|tmp|Users|opt|mnt|srv)/", text)


def test_the_refusals_are_those_of_the_front_end() -> None:
    rows = [f"| {code} | {what} | {instead} |" for code, (what, instead) in REFUSALS.items()]
    expected = "\n".join(["| id | what is refused | instead |", "|---|---|---|", *rows]) + "\n"
    assert between(PROGRAM_PAGE, "refusals") == expected


def test_the_library_is_that_of_the_catalogue() -> None:
    lines = [f"- `{module}`: {', '.join(sorted(names))}" for module, names in sorted(catalogue.LIBRARY.items())]
    assert "\n".join(lines) in PROGRAM_PAGE
    assert f"Builtins: {', '.join(sorted(catalogue.BUILTINS))};" in PROGRAM_PAGE
    assert f"{len(catalogue.LIBRARY)}\nstandard modules" in README.read_text()


def test_codes_of_refusals_elsewhere_exist() -> None:
    for path in DOCUMENTS:
        assert set(re.findall(r"\bPM\d{3}\b", path.read_text())) <= set(REFUSALS), path.name


def test_the_artefact_has_the_fields_that_are_described() -> None:
    program = compile_source("def f(n: int) -> int:\n    return n + 1\n", "f")
    data = encode_program(program)
    machine = data["machines"]["f"]
    section = PROGRAM_PAGE.partition("## The artefact\n")[2].partition("\n## ")[0]
    described = set(re.findall(r"`(\w+)`", section))
    for fields in (data, machine, machine["states"][0]):
        assert set(fields) <= described, f"not described: {set(fields) - described}"


@pytest.mark.parametrize(("name", "entry"), [("refund", "refund"), ("airline", "assist")])
def test_the_picture_is_the_present_one(name: str, entry: str) -> None:
    path = ROOT / f"docs/{name}.svg"
    minidom.parse(str(path))
    program = compile_source((ROOT / f"examples/{name}.py").read_text(), entry, f"examples/{name}.py")
    told = f"make it anew: pointsman show {name}.route.json --svg > docs/{name}.svg"
    assert path.read_text().strip() == to_svg(program).strip(), told


def test_the_example_list_names_every_file() -> None:
    listed = re.findall(r"^- `(\w+\.py)`", (ROOT / "examples/README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(p.name for p in (ROOT / "examples").glob("*.py"))


def test_the_list_of_clrs_names_every_file() -> None:
    _, _, section = (ROOT / "examples/README.md").read_text().partition("`clrs/`")
    listed = re.findall(r"`(\w+\.py)`", section)
    assert sorted(listed) == sorted(p.name for p in (ROOT / "examples/clrs").glob("*.py"))
