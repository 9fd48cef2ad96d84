"""Requests in free words and models that select, with readers and selectors that need no torch."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import Cost, UpstreamError
from pointsman.core.asking import Question, Reply
from pointsman.core.selecting import Row, Selection
from pointsman.program.select.scripted import ReadingSelector

GCD = "def f(a: int, b: int) -> int:\n    while b > 0:\n        a, b = b, a % b\n    return a\n"
LATE = (
    "from pointsman import judge\n\ndef f(days: int, request: str) -> str:\n"
    "    if days < 0:\n        raise ValueError('not yet')\n"
    "    return 'late' if days > 3 and judge('it is urgent', request) else 'fine'\n"
)


class Reader:
    """Reads `a = 5` for the parameter a, and takes a statement for true where it shares a word with the text."""

    def __init__(self, name: str = "rules") -> None:
        self.name, self.asked = name, list[Question]()

    def knows(self, question: Question) -> bool:
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        self.asked += [question for question, _ in asked]
        if any(text == "fail" for _, text in asked):
            raise UpstreamError("the upstream 'x' cannot be reached", retryable=True, code="upstream_unreachable")
        return [self._one(question, text) for question, text in asked]

    def _one(self, question: Question, text: str) -> Reply:
        value: bool | int | None
        if question.kind == "judge":
            value = bool(set(question.wording.split()) & set(text.split()))
        else:
            found = re.search(rf"\b{question.wording} = (-?\d+)", text)
            value = int(found[1]) if found else None
        return Reply(value, 0.99, self.name, Cost.zero())


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The names of models that were loaded; each is a `Reader`."""
    calls: list[list[str]] = []

    def rungs(names: Sequence[str]) -> list[Reader]:
        if names:
            calls.append(list(names))
        return [Reader(name) for name in names]

    for home in ("run", "serve", "readers"):
        monkeypatch.setattr(f"pointsman.cli.{home}.reader_rungs", rungs)
    for home in ("routes", "suggest"):
        monkeypatch.setattr(f"pointsman.cli.{home}.require_local", lambda: None)
    return calls


def refused(found: Any, *says: str) -> None:
    assert (found.code, found.out) == (2, "")
    for part in says:
        assert part in found.err


WORDS = ("--text", "--model", "rules")


class TestRun:
    def test_a_request_is_read(self, pm: Any, artefact: Any, loaded: list[list[str]]) -> None:
        path = artefact(GCD)
        found = pm("run", path, "a = 84 and b = 36", *WORDS)
        assert (found.code, found.out, found.err) == (0, "12\n", "")
        assert loaded == [["rules"]]
        shown = json.loads(pm("run", path, "a = 84 and b = 36", *WORDS, "--json").out)
        assert (shown["kind"], shown["result"]) == ("value", 12)

    def test_what_is_missing_is_asked_for(self, pm: Any, artefact: Any) -> None:
        found = pm("run", artefact(GCD), "b = 36", *WORDS)
        assert (found.code, found.out, found.err) == (3, "", "Please tell me a.\n")
        both = pm("run", artefact(GCD), "hello", *WORDS, "--json")
        assert (both.code, both.out, both.err) == (3, "", "Please tell me a and b.\n")

    def test_what_is_given_is_not_read(self, pm: Any, artefact: Any) -> None:
        found = pm("run", artefact(GCD), "a = 1, b = 36", *WORDS, "--given", '{"a": 84}')
        assert (found.code, found.out) == (0, "12\n")

    def test_the_model_answers_the_program_s_questions_too(
        self, pm: Any, artefact: Any, loaded: list[list[str]]
    ) -> None:
        path = artefact(LATE)
        assert pm("run", path, "urgent days = 5", *WORDS).out == '"late"\n'
        assert pm("run", path, "days = 5", *WORDS).out == '"fine"\n'
        assert loaded == [["rules"], ["rules"]], "a model is loaded once a run"
        raised = pm("run", path, "days = -1", *WORDS)
        assert (raised.code, "not yet" in raised.out) == (1, True)

    def test_a_run_of_a_request_can_be_audited(self, pm: Any, artefact: Any) -> None:
        path = artefact(LATE)
        assert pm("run", path, "urgent days = 5", *WORDS, "--trace", "run.json").out == '"late"\n'
        assert pm("audit", "run.json", path).code == 0

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            (("x", "--text"), "no_reader"),
            (("-", *WORDS), "no_reader"),
            (("x", "--text", "--answers", "{}"), "no_reader"),
            (("x", *WORDS, "--answers", "{}"), "conflicting_options"),
            (("[1, 2]", "--given", "{}"), "conflicting_options"),
            (("[1, 2]", "--no-verify"), "conflicting_options"),
            (("-", "--select", "rules"), "conflicting_options"),
            (("x", *WORDS, "--given", "[1]"), "bad_inputs"),
            (("x", *WORDS, "--given", "{"), "bad_inputs"),
            (("x", *WORDS, "--given", ""), "bad_inputs"),
            (("x", *WORDS, "--given", '{"a": 1, "a": 2}'), "bad_inputs"),
        ],
    )
    def test_wrong_use_loads_no_model(
        self, pm: Any, artefact: Any, loaded: list[list[str]], options: tuple[str, ...], code: str
    ) -> None:
        refused(pm("run", artefact(GCD), *options), f"[{code}]")
        assert loaded == []

    @pytest.mark.parametrize("given", ['{"a": "x", "b": 1}', '{"a": 1, "b": 2, "c": 3}'])
    def test_wrong_parameters_are_refused(self, pm: Any, artefact: Any, given: str) -> None:
        refused(pm("run", artefact(GCD), "x", *WORDS, "--given", given), "[bad_inputs]")

    def test_several_models_need_a_ladder(self, pm: Any, artefact: Any) -> None:
        refused(pm("run", artefact(LATE), "days = 5", *WORDS, "--model", "other"), "[other_rungs]")

    def test_errors_of_the_reader_are_told(self, pm: Any, artefact: Any) -> None:
        refused(pm("run", artefact(GCD), "fail", *WORDS), "[upstream_unreachable]")


class First:
    """Takes the first row, whatever holds."""

    name = "first"

    def select(self, rows: Sequence[Row], state: str) -> Selection:
        return Selection(0, 1.0, Cost.zero())


class TestSelect:
    @pytest.fixture(autouse=True)
    def selecting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        selectors: dict[str, Any] = {"reading": ReadingSelector(), "first": First()}
        monkeypatch.setattr("pointsman.cli.run.selector_of", selectors.__getitem__)

    def test_a_model_selects_the_rows(self, pm: Any, artefact: Any) -> None:
        path = artefact(GCD)
        found = pm("run", path, "[84, 36]", "--select", "reading")
        assert (found.code, found.out) == (0, "12\n")
        assert re.fullmatch(r"[1-9]\d* selections by reading, 0 wrong\n", found.err)
        shown = json.loads(pm("run", path, "[84, 36]", "--select", "reading", "--json", "--no-verify").out)
        assert (shown["kind"], shown["result"]) == ("value", 12)

    def test_what_it_selects_wrong_is_corrected_or_gone_on_with(self, pm: Any, artefact: Any) -> None:
        path = artefact("def f(n: int):\n    return 'large' if n > 10 else 'small'\n")
        answers = [pm("run", path, inputs, "--select", "first").out for inputs in ("[1]", "[11]")]
        assert answers == ['"small"\n', '"large"\n']
        alone = [pm("run", path, inputs, "--select", "first", "--no-verify") for inputs in ("[1]", "[11]")]
        assert alone[0].out == alone[1].out
        assert sorted(found.err for found in alone) == [
            "1 selections by first, 0 wrong\n",
            "1 selections by first, 1 wrong\n",
        ]
        corrected = [pm("run", path, inputs, "--select", "first").err for inputs in ("[1]", "[11]")]
        assert "1 selections by first, 1 wrong and corrected\n" in corrected

    def test_it_goes_together_with_words_and_a_trace(self, pm: Any, artefact: Any) -> None:
        path = artefact(GCD)
        words = ("a = 84, b = 36", *WORDS, "--select", "reading", "--trace", "run.json")
        assert pm("run", path, *words).out == "12\n"
        assert pm("audit", "run.json", path).code == 0

    def test_an_exception_is_told(self, pm: Any, artefact: Any) -> None:
        path = artefact("def f(n: int):\n    if n < 0:\n        raise ValueError('below')\n    return n\n")
        found = pm("run", path, "[-1]", "--select", "reading")
        assert (found.code, "below" in found.out) == (1, True)


@pytest.fixture
def build(artefact: Any, tmp_path: Path) -> Path:
    """A folder with the programs `divisor` and `parcel`."""
    parcel = "def parcel(kilos: int) -> int:\n    return 5 + kilos\n"
    sources = {"divisor": GCD.replace("def f", "def divisor"), "parcel": parcel}
    (tmp_path / "build").mkdir()
    for name, source in sources.items():
        artefact(source, f"build/{name}", entry=name)
    return tmp_path / "build"


ROUTES: list[str] = []


def records(count: int = 400) -> Iterator[dict[str, object]]:
    for number in range(count // 4):
        yield {"request": f"the divisor of a = {number} and b = {number * 7}", "program": "divisor"}
        yield {"request": f"a parcel of kilos = {number}", "program": "parcel"}
        yield {"request": f"a poem about {number} cats", "program": None}
        yield {"request": f"a song of {number} lines", "program": None}


def lines(records: Iterator[dict[str, object]]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


class TestCalibrateRoutes:
    @pytest.fixture
    def calibrate(self, pm: Any, build: Path, tmp_path: Path) -> Any:
        def run(data: str | bytes, *options: object) -> Any:
            path = tmp_path / "requests.jsonl"
            path.write_bytes(data if isinstance(data, bytes) else data.encode())
            return pm("calibrate", "routes", "build", "--data", "requests.jsonl", "--model", "rules", *options)

        return run

    def test_routes_are_certified_and_written(self, calibrate: Any, build: Path, loaded: list[list[str]]) -> None:
        found = calibrate(lines(records()), "--epsilon", 0.05)
        assert found.code == 0
        assert found.out == (
            "build/routes.json: 200 different requests: 0 went wrong; certified: at most 5.0% do, with 95% confidence; "
            "100.0% of those that a program covers are routed to it (from 0.1 on)\n"
        )
        kept = json.loads((build / "routes.json").read_text())
        assert (kept["reader"], kept["threshold"], kept["certificate"]["is_certified"]) == ("rules", 0.1, True)
        assert loaded == [["rules"]]

    def test_a_promise_that_is_not_kept_ends_with_1(self, calibrate: Any, build: Path) -> None:
        found = calibrate(lines(records()), "--epsilon", 0.001)
        assert found.code == 1
        assert found.out == (
            "build/routes.json: 200 different requests: 0 went wrong at the highest threshold; nothing is certified, "
            "so everything is inferred\n"
        )
        assert json.loads((build / "routes.json").read_text())["threshold"] > 1

    def test_the_seed_is_kept(self, calibrate: Any, build: Path) -> None:
        def head(seed: int) -> Any:
            assert calibrate(lines(records()), "--epsilon", 0.05, "--seed", seed).code == 0
            return json.loads((build / "routes.json").read_text())["head"]["weights"]

        assert head(1) == head(1) != head(2)

    def test_lines_end_where_json_lines_do(self, calibrate: Any) -> None:
        text = "".join(
            json.dumps({**one, "request": f"{one['request']}\u2028\x85"}, ensure_ascii=False) + "\r\n\n"
            for one in records()
        )
        assert calibrate(text, "--epsilon", 0.05).code == 0

    def test_answers_are_kept_so_that_an_interrupted_run_goes_on(
        self, calibrate: Any, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        readers: list[Reader] = []

        def rungs(names: Sequence[str]) -> list[Reader]:
            readers.append(Reader(names[0]))
            return readers[-1:]

        monkeypatch.setattr("pointsman.cli.readers.reader_rungs", rungs)
        kept = ("--replies", "kept.jsonl", "--epsilon", 0.05)
        first, second = calibrate(lines(records()), *kept), calibrate(lines(records()), *kept)
        assert first.code == second.code == 0
        assert first.out == second.out
        assert readers[0].asked
        assert not readers[1].asked
        assert not (build / "routes.replies.jsonl").exists()

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (b"", "holds no requests"),
            (b"\n \n", "holds no requests"),
            (b"\xff", "requests.jsonl is not text (UTF-8)"),
            (b"\n{\n", "requests.jsonl line 2: not JSON"),
            (b"[" * 100_000, "requests.jsonl line 1: not JSON"),
            (b"[1]", "requests.jsonl line 1: expected"),
            (b'"x"', "requests.jsonl line 1: expected"),
            (b'{"request": "x"}', "requests.jsonl line 1: expected"),
            (b'{"request": "x", "program": null}\n{"request": 1, "program": null}', "requests.jsonl line 2: expected"),
            (b'{"request": "x", "program": 1}', "requests.jsonl line 1: expected"),
            (b'{"request": "x", "program": null, "answer": 1}', "requests.jsonl line 1: expected"),
            (b'{"request": "x", "program": "lcm"}', "no program is named 'lcm'; there is divisor, parcel"),
            (b'{"request": "x", "program": null}', "too few or too alike"),
        ],
    )
    def test_bad_examples(self, calibrate: Any, build: Path, data: bytes, says: str) -> None:
        refused(calibrate(data), "bad_examples", says)
        assert not (build / "routes.json").exists()

    def test_other_wrong_use(self, pm: Any, calibrate: Any, tmp_path: Path) -> None:
        refused(calibrate(lines(records()), "--epsilon", 2), "[invalid_risk]")
        refused(calibrate(lines(records()), "--confidence", 0), "[invalid_risk]")
        refused(calibrate(lines(records()), "--data", "none"), "cannot read 'none'")
        (tmp_path / "empty").mkdir()
        options = ("--data", "requests.jsonl", "--model", "rules")
        for folder in ("empty", "none", "programs.py"):
            refused(pm("calibrate", "routes", folder, *options), "[no_programs]", folder)
        (tmp_path / "empty" / "bad.route.json").write_text("{")
        refused(pm("calibrate", "routes", "empty", *options), "[bad_artefact]")
        refused(pm("calibrate", "routes", "build", "--data", "requests.jsonl"), "--model")

    def test_opaque_programs_are_left_out(self, pm: Any, calibrate: Any, artefact: Any, build: Path) -> None:
        source = "def helper(x):\n    return 1 if x is (x + 1) else 2\ndef f(n: int):\n    return helper(n)\n"
        artefact(source, "f", opaque=True).rename(build / "f.route.json")
        refused(calibrate(b'{"request": "x", "program": "f"}'), "there is divisor, parcel")
        assert calibrate(lines(records()), "--epsilon", 0.05).code == 0


class TestSuggest:
    @pytest.fixture
    def suggest(self, pm: Any, build: Path, tmp_path: Path) -> Any:
        """`suggest(data, *options)`, where there are routes."""
        if not ROUTES:  # fitting a head takes a second
            (tmp_path / "examples.jsonl").write_text(lines(records()))
            options = ("--data", "examples.jsonl", "--model", "rules", "--epsilon", 0.05)
            assert pm("calibrate", "routes", "build", *options).code == 0
            ROUTES.append((build / "routes.json").read_text())
        (build / "routes.json").write_text(ROUTES[0])

        def run(data: str | bytes, *options: object) -> Any:
            (tmp_path / "requests").write_bytes(data if isinstance(data, bytes) else data.encode())
            return pm("suggest", "build", "requests", "--model", "rules", *options)

        return run

    ASKED = (
        "a song of 7 lines\n"
        "the divisor of a = 84 and b = 36\n"
        "\n"
        '  {"request": "a poem about 3 cats", "user": 1}\n'
        "a poem about 4 cats\n"
        "the divisor of a = 84\n"
        "the divisor of a = 12\n"
        "a poem about 5 cats"
    )

    def test_what_is_not_covered_is_listed(self, suggest: Any) -> None:
        found = suggest(self.ASKED)
        assert (found.code, found.err.strip()) == (0, "")
        poem, _, divisor, near, song, _, told = found.out.splitlines()
        assert poem == "     3 x a poem about # cats"
        assert divisor == "     2 x the divisor of a = #"
        assert near == "         nearest: divisor (0.00), without b; such as: the divisor of a = 84"
        assert song == "     1 x a song of # lines"
        assert told == "1 of 7 requests are covered; 3 kinds are not"

    def test_as_json(self, suggest: Any) -> None:
        found = suggest(self.ASKED, "--json")
        first, second, _ = map(json.loads, found.out.splitlines())
        assert (first["count"], first["kind"]) == (3, "a poem about # cats")
        assert first["example"] in self.ASKED
        assert (second["program"], second["missing"]) == ("divisor", ["b"])

    def test_the_list_is_limited(self, suggest: Any) -> None:
        found = suggest(self.ASKED, "--limit", 1)
        assert [line[:8] for line in found.out.splitlines()] == ["     3 x", "        ", "1 of 7 r"]
        assert len(suggest(self.ASKED, "--limit", 2, "--json").out.splitlines()) == 2
        refused(suggest(self.ASKED, "--limit", 0), "--limit")

    @pytest.mark.parametrize(
        ("data", "says"),
        [
            (b"", "requests holds no requests"),
            (b"\n \n", "requests holds no requests"),
            (b"a poem\n\xff", "requests is not text (UTF-8)"),
            (b"a poem\n\n{\n", "requests line 3: not JSON"),
            (b'{"a":' * 100_000, "requests line 1: not JSON"),
            (b'{"n": ' + b"9" * 5000 + b"}", "requests line 1: not JSON"),
            (b"{}", "requests line 1: expected a field `request`"),
            (b'a poem\x0ca\xc2\x85b\n{"request": 5}', "requests line 2: expected a field `request`"),
            (b'{"request": null}', "requests line 1: expected a field `request`"),
        ],
    )
    def test_bad_requests(self, suggest: Any, loaded: list[list[str]], data: bytes, says: str) -> None:
        loaded.clear()
        refused(suggest(data), "[bad_examples]", says)
        assert loaded == []

    def test_other_wrong_use(self, pm: Any, build: Path, tmp_path: Path) -> None:
        (tmp_path / "requests").write_text("a poem")
        options = ("requests", "--model", "rules")
        refused(pm("suggest", "build", *options), "[no_routes]", "pointsman calibrate routes")
        refused(pm("suggest", "none", *options), "[no_routes]")
        (build / "routes.json").write_text("{")
        refused(pm("suggest", "build", *options), "[bad_routes]", "build/routes.json")
        refused(pm("suggest", "build", "requests"), "--model")

    def test_a_file_that_is_not_there(self, suggest: Any, pm: Any) -> None:
        refused(pm("suggest", "build", "none", "--model", "rules"), "cannot read 'none'", "[bad_examples]")

    def test_errors_of_the_reader_are_told(self, pm: Any, suggest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        class Broken(Reader):
            def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
                raise UpstreamError("down", retryable=True, code="upstream_unreachable")

        monkeypatch.setattr("pointsman.cli.readers.reader_rungs", lambda _: [Broken()])
        found = suggest("the divisor of a = 84 and b = 36")
        assert (found.code, "[upstream_unreachable]" in found.err) == (2, True)


@pytest.mark.parametrize(
    "command",
    [("calibrate", "routes", "b", "--data", "d", "--model", "m"), ("suggest", "b", "r", "--model", "m")],
    ids=["calibrate routes", "suggest"],
)
def test_without_what_fits_heads_it_says_so(pm: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    from pointsman.cli.extras import require_local

    monkeypatch.setattr("pointsman.cli.extras.has_local", lambda: False)
    for home in ("routes", "suggest"):
        monkeypatch.setattr(f"pointsman.cli.{home}.require_local", require_local)
    refused(pm(*command), "[extra_missing]", "pip install 'pointsman[local]'")


class TestServe:
    @pytest.fixture
    def served(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        calls: list[Any] = []
        monkeypatch.setattr("pointsman.gateway.serve", lambda *arguments, **_: calls.append(arguments))
        monkeypatch.setattr("pointsman.cli.serve.model_sources", lambda _: [])
        return calls

    def test_who_infers_and_who_reads_are_handed_over(self, pm: Any, served: list[Any], build: Path) -> None:
        readers = ("--reader", "http://127.0.0.1:9/v1#a", "--reader", "http://127.0.0.1:9/v1#b")
        assert pm("serve", "build", *readers, "--infer", "m").code == 0
        ((settings, _, answerer_of, reader),) = served
        assert (settings.server.infer, settings.server.programs) == ("m", (Path("build"),))
        assert reader.name == "http://127.0.0.1:9/v1#a", "the first one reads"
        assert callable(answerer_of)

    def test_without_readers_nobody_reads(self, pm: Any, served: list[Any]) -> None:
        assert pm("serve", "--infer", "m").code == 0
        assert served[0][2:] == (None, None)

    def test_the_setting_is_shown_with_its_origin(self, pm: Any, tmp_path: Path) -> None:
        (tmp_path / "pointsman.toml").write_text('[server]\ninfer = "a"\n')
        shown = json.loads(pm("serve", "--print-config").out)
        assert (shown["settings"]["infer"], shown["origins"]["infer"]) == ("a", "pointsman.toml")
        shown = json.loads(pm("serve", "--print-config", "--infer", "b").out)
        assert (shown["settings"]["infer"], shown["origins"]["infer"]) == ("b", "flag")

    def test_a_model_that_is_not_there_infers_nothing(
        self, pm: Any, build: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pointsman.cli.serve.model_sources", lambda _: [])
        refused(pm("serve", "build", "--infer", "none", "--port", 0), "[invalid_config]", "infer names 'none'")

    def test_routes_of_another_reader_are_refused(
        self, pm: Any, build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pointsman.cli.serve.model_sources", lambda _: [])
        if not ROUTES:  # fitting a head takes a second
            (tmp_path / "examples.jsonl").write_text(lines(records()))
            options = ("--data", "examples.jsonl", "--model", "rules", "--epsilon", 0.05)
            assert pm("calibrate", "routes", "build", *options).code == 0
            ROUTES.append((build / "routes.json").read_text())
        (build / "routes.json").write_text(ROUTES[0])
        reader = "http://127.0.0.1:9/v1#a"
        refused(pm("serve", "build", "--reader", reader, "--port", 0), "[other_reader]", "certified with rules")
