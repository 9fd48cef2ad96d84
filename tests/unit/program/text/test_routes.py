"""Which program covers a request: what is believed of it, what is certified, what is kept, and who answers."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.core import BadRequest, Cost, PointsmanError, UpstreamError
from pointsman.core.asking import Question, Reply
from pointsman.core.ngrams import ngrams
from pointsman.program import Table, compile_table
from pointsman.program.ladder import Head, Promise
from pointsman.program.pipeline import CompileOptions
from pointsman.program.recorded import RecordedAnswers
from pointsman.program.text.calibrating_routes import THRESHOLDS, Covered, calibrate_routes, is_wrong
from pointsman.program.text.router import AsksBack, Router, answer_text
from pointsman.program.text.routes import ROUTES_FILE, Routes, load_routes, match, save_routes

GCD, PARCEL = "the divisor of 84 and 36", "a parcel of 4 kilos"
PROMISE = Promise(0.05, 0.9)

Tables = Mapping[str, Table]


class TestMatch:
    def test_the_score_is_what_head_and_reader_believe_together(
        self, tables: Tables, routes: Routes, reader: Any
    ) -> None:
        found = match(tables, routes.head, reader, GCD)
        chance = dict(zip(routes.head.values, chances(routes, GCD), strict=True))["gcd"]
        assert (found.program, found.score) == ("gcd", pytest.approx(chance * 0.99))
        assert found.filled is not None
        assert found.filled.inputs == {"a": 84, "b": 36}
        assert [question.wording for question, _ in reader.asked] == [
            "this asks for the greatest common divisor of two numbers",
            "the first number",
            "the second number",
        ]
        assert found.cost == Cost(30, 3, 6, 300, 1.5)

    def test_a_parameter_that_is_missing_leaves_no_score(self, tables: Tables, routes: Routes, reader: Any) -> None:
        found = match(tables, routes.head, reader, "the divisor of 84")
        assert (found.program, found.score) == ("gcd", 0.0)
        assert found.filled is not None
        assert found.filled.missing == ("the second number",)

    def test_a_reader_that_says_no_ends_it(self, tables: Tables, routes: Routes, reader_of: Any) -> None:
        reader = reader_of(confidence=0.99)
        found = match({"gcd": tables["parcel"]}, routes.head, reader, GCD)
        assert (found.program, found.filled, found.cost) == ("gcd", None, Cost(10, 1, 2, 100, 0.5))
        assert found.score == pytest.approx(0.01, abs=1e-3)
        assert len(reader.asked) == 1

    def test_what_the_head_finds_unlikely_is_not_asked_about(self, tables: Tables, routes: Routes, reader: Any) -> None:
        found = match(tables, routes.head, reader, "a poem")
        assert (found.filled, found.cost, reader.asked) == (None, Cost.zero(), [])
        assert found.program is None
        assert found.score < 0.05

    def test_without_programs_nothing_is_found(self, routes: Routes, reader: Any) -> None:
        assert match({}, routes.head, reader, GCD).program is None


def chances(routes: Routes, text: str) -> list[float]:
    return [float(chance) for chance in routes.head.probabilities(ngrams(text, routes.head.weights.shape[1]))]


class TestCalibrating:
    def test_a_threshold_is_found_and_keeps_the_promise(
        self, tables: Tables, examples: list[Covered], reader: Any
    ) -> None:
        ticks: list[int] = []
        routes = calibrate_routes(tables, examples, reader, PROMISE, on_match=ticks.append)
        certificate = routes.certificate
        assert (routes.reader, certificate.promise, certificate.is_certified) == ("rules", PROMISE, True)
        assert routes.threshold == THRESHOLDS[-1], "nothing goes wrong, so the lowest is certified"
        assert set(routes.head.values) == {"gcd", "parcel", None}
        assert ticks == [1] * certificate.num_examples
        assert 195 <= certificate.num_examples <= 200, "half of those that differ"
        assert certificate.num_wrong == 0
        assert certificate.found_share == 1.0
        found = [match(tables, routes.head, reader, one.request) for one in examples]
        assert not any(is_wrong(one, its, routes.threshold) for one, its in zip(examples, found, strict=True))

    def test_what_goes_wrong_raises_the_threshold(
        self, tables: Tables, examples: list[Covered], reader_of: Any
    ) -> None:
        misread = {one.request for one in examples[::16]}  # a quarter of those for gcd, which are for something else
        mixed = [replace(one, program=None) if one.request in misread else one for one in examples]
        routes = calibrate_routes(tables, mixed, Doubting(reader_of(), misread), PROMISE)
        found = [(one, match(tables, routes.head, Doubting(reader_of(), misread), one.request)) for one in mixed]
        assert any(is_wrong(*pair, THRESHOLDS[-1]) for pair in found)
        assert not any(is_wrong(*pair, routes.threshold) for pair in found)
        assert THRESHOLDS[-1] < routes.threshold < THRESHOLDS[0]
        assert routes.certificate.is_certified

    def test_a_promise_that_cannot_be_kept_routes_nothing(
        self, tables: Tables, examples: list[Covered], reader: Any
    ) -> None:
        routes = calibrate_routes(tables, examples, reader, Promise(0.001, 0.99))
        assert not routes.certificate.is_certified
        assert (routes.threshold, routes.certificate.found_share, routes.certificate.num_wrong) == (2.0, 0.0, 0)
        assert router(tables, routes, reader).answer(GCD).answer is None

    def test_what_went_wrong_is_told_where_nothing_is_certified(
        self, tables: Tables, examples: list[Covered], reader_of: Any
    ) -> None:
        reader = reader_of(confidence=1.0)
        right = calibrate_routes(tables, examples, reader, PROMISE)
        certifying = {text for _, text in reader.asked if "divisor" in text}
        mislabelled = [replace(one, program=None) if one.request in certifying else one for one in examples]
        routes = calibrate_routes(tables, mislabelled, reader, PROMISE)
        assert chances(routes, GCD) == chances(right, GCD), "of the same half"
        scores = [match(tables, routes.head, reader, request).score for request in certifying]
        assert not routes.certificate.is_certified
        assert routes.certificate.num_wrong == sum(score >= THRESHOLDS[0] for score in scores) > 0

    def test_a_request_counts_once(self, tables: Tables, examples: list[Covered], reader: Any) -> None:
        once = calibrate_routes(tables, examples, reader, PROMISE)
        thrice = calibrate_routes(tables, examples * 3, reader, PROMISE)
        assert thrice.certificate == once.certificate

    def test_the_seed_makes_the_halves(self, tables: Tables, examples: list[Covered], reader_of: Any) -> None:
        def read(seed: int) -> set[str]:
            reader = reader_of()
            calibrate_routes(tables, examples, reader, PROMISE, seed=seed)
            return {text for _, text in reader.asked}

        assert read(1) == read(1)
        assert read(1) != read(2)

    def test_a_program_that_is_not_there_is_refused(self, tables: Tables, reader: Any) -> None:
        with pytest.raises(BadRequest, match="no program is named 'lcm'; there is gcd, parcel, late") as caught:
            calibrate_routes(tables, [Covered("x", None), Covered("y", "lcm")], reader, PROMISE)
        assert caught.value.code == "bad_examples"

    @pytest.mark.parametrize("count", [0, 1, 39])
    def test_too_few_examples_are_refused(
        self, tables: Tables, examples: list[Covered], reader: Any, count: int
    ) -> None:
        with pytest.raises(BadRequest, match="too few or too alike") as caught:
            calibrate_routes(tables, examples[:count], reader, PROMISE)
        assert (caught.value.code, reader.asked) == ("bad_examples", [])

    def test_examples_of_one_kind_are_refused(self, tables: Tables, examples: list[Covered], reader: Any) -> None:
        with pytest.raises(BadRequest, match="too few or too alike"):
            calibrate_routes(tables, [one for one in examples if one.program == "gcd"], reader, PROMISE)

    def test_what_the_reader_raises_is_raised(self, tables: Tables, examples: list[Covered]) -> None:
        with pytest.raises(UpstreamError, match="down"):
            calibrate_routes(tables, examples, Broken(), PROMISE)


class Doubting:
    """A reader with little confidence in some texts."""

    name = "doubting"

    def __init__(self, reader: Any, texts: Collection[str]) -> None:
        self._reader, self._texts = reader, texts

    def knows(self, question: Question) -> bool:
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        replies = zip(self._reader.answer(asked), asked, strict=True)
        return [replace(reply, confidence=0.3) if text in self._texts else reply for reply, (_, text) in replies]


class Believer:
    """Believes everything, and reads 7."""

    name = "believer"

    def knows(self, question: Question) -> bool:
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        return [Reply(7 if question.kind == "extract" else True, 1.0, self.name, Cost.zero()) for question, _ in asked]


class Broken:
    name = "rules"

    def knows(self, question: Question) -> bool:
        return True

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        raise UpstreamError("the reader is down", retryable=True)


class TestOnDisk:
    def test_routes_come_back(self, tables: Tables, examples: list[Covered], reader: Any, tmp_path: Path) -> None:
        routes = calibrate_routes(tables, examples, reader, PROMISE)
        assert save_routes(routes, tmp_path) == tmp_path / ROUTES_FILE
        again = load_routes(tmp_path)
        assert again is not None
        assert again.head.values == routes.head.values
        assert chances(again, GCD) == chances(routes, GCD), "what was certified is what is loaded"
        assert replace(again, head=routes.head) == routes

    def test_a_folder_without_them_has_none(self, tmp_path: Path) -> None:
        assert load_routes(tmp_path) is None

    def test_what_was_not_certified_routes_nothing_whatever_the_file_says(self, routes: Routes, tmp_path: Path) -> None:
        uncertified = replace(routes, certificate=replace(routes.certificate, is_certified=False))
        save_routes(uncertified, tmp_path)
        again = load_routes(tmp_path)
        assert again is not None
        assert (uncertified.threshold, again.threshold) == (0.9, 2.0)

    def test_a_folder_that_cannot_be_written_is_an_error(self, routes: Routes, tmp_path: Path) -> None:
        with pytest.raises(BadRequest, match="cannot write") as caught:
            save_routes(routes, tmp_path / "none")
        assert caught.value.code == "cannot_write"

    @pytest.mark.parametrize(
        "data",
        [b"", b"{", b"\xff", b"null", b"5", b"[]", b'"x"', b"{}", b"[" * 100_000, b"9" * 5000],
        ids=["empty", "cut", "binary", "null", "number", "array", "string", "nothing", "deep", "long"],
    )
    def test_a_file_that_holds_none_is_an_error(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / ROUTES_FILE).write_bytes(data)
        self.refused(tmp_path)

    @pytest.mark.parametrize("key", ["format", "version", "reader", "threshold", "head", "certificate"])
    def test_every_key_is_needed(self, routes: Routes, tmp_path: Path, key: str) -> None:
        self.changed(routes, tmp_path, lambda data: data.pop(key))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("format", "pointsman-route"),
            ("version", 2),
            ("reader", None),
            ("reader", 7),
            ("threshold", None),
            ("threshold", "0.9"),
            ("threshold", True),
            ("threshold", 0),
            ("threshold", -1.0),
            ("threshold", float("nan")),
            pytest.param("threshold", 10**400, id="threshold-huge"),
            ("head", None),
            ("head", {}),
            ("certificate", None),
            ("certificate", "kept"),
            ("certificate", {}),
        ],
    )
    def test_every_key_has_its_kind(self, routes: Routes, tmp_path: Path, key: str, value: object) -> None:
        self.changed(routes, tmp_path, lambda data: data.update({key: value}))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("values", [["gcd"], "parcel", "late", None]),
            ("values", [1, "parcel", "late", None]),
            ("values", ["gcd", None]),
            ("values", []),
            ("biases", [0.0]),
            ("biases", [10**400, 0, 0, 0]),
            ("biases", ["x", 0, 0, 0]),
            ("weights", ""),
            ("weights", "?"),
            ("weights", "AAAA"),
            ("weights", 7),
        ],
    )
    def test_a_head_that_is_none_is_an_error(self, routes: Routes, tmp_path: Path, key: str, value: object) -> None:
        self.changed(routes, tmp_path, lambda data: data["head"].update({key: value}))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("promise", None),
            ("promise", {"epsilon": 2}),
            ("promise", {"epsilon": "x"}),
            ("promise", {"delta": 0.1}),
            ("is_certified", "no"),
            ("is_certified", 1),
            ("num_examples", "many"),
            ("num_wrong", None),
            ("num_wrong", 0.5),
            ("found_share", None),
            ("found_share", "all"),
            ("signed", True),
        ],
    )
    def test_a_certificate_that_is_none_is_an_error(
        self, routes: Routes, tmp_path: Path, key: str, value: object
    ) -> None:
        self.changed(routes, tmp_path, lambda data: data["certificate"].update({key: value}))

    def test_a_folder_of_that_name_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / ROUTES_FILE).mkdir()
        self.refused(tmp_path)

    def changed(self, routes: Routes, folder: Path, change: Callable[[Any], object]) -> None:
        path = save_routes(routes, folder)
        data = json.loads(path.read_text())
        assert load_routes(folder) is not None
        change(data)
        path.write_text(json.dumps(data))
        self.refused(folder)

    def refused(self, folder: Path) -> None:
        with pytest.raises(BadRequest, match=r"routes\.json: not routes") as caught:
            load_routes(folder)
        assert caught.value.code == "bad_routes"


def router(tables: Tables, routes: Routes, reader: Any, answerer: Any = None) -> Router:
    return Router(tables, routes, reader, lambda _: answerer or reader)


class TestRouter:
    @pytest.mark.parametrize(
        ("request_text", "program", "value"),
        [(GCD, "gcd", "12"), (PARCEL, "parcel", "9"), ("my order is 5 days late", "late", '"yes"')],
    )
    def test_a_program_that_covers_a_request_answers(
        self, tables: Tables, routes: Routes, reader: Any, request_text: str, program: str, value: str
    ) -> None:
        found = router(tables, routes, reader).answer(request_text)
        assert found.answer is not None
        assert (found.program, found.answer.json_text) == (program, value)

    @pytest.mark.parametrize(
        "request_text",
        ["a poem of 4 lines", "", "the divisor of 84", "a parcel of 31 kilos", "a parcel of 0 kilos"],
        ids=["no program", "empty", "missing", "None", "raises"],
    )
    def test_everything_else_is_inferred(self, tables: Tables, routes: Routes, reader: Any, request_text: str) -> None:
        found = router(tables, routes, reader).answer(request_text)
        assert (found.program, found.answer) == (None, None)

    @pytest.mark.parametrize(("threshold", "program"), [(0.9, "gcd"), (0.995, None), (2.0, None)])
    def test_only_scores_from_the_threshold_on_are_routed(
        self, tables: Tables, routes: Routes, reader: Any, threshold: float, program: str | None
    ) -> None:
        assert router(tables, replace(routes, threshold=threshold), reader).answer(GCD).program == program

    def test_costs_add_up(self, tables: Tables, routes: Routes, reader: Any) -> None:
        each = Cost(10, 1, 2, 100, 0.5)
        route = router(tables, routes, reader)
        judged_and_read = each + each
        assert route.answer("the poem").cost == Cost.zero()
        assert route.answer(PARCEL).cost == judged_and_read
        assert route.answer("a parcel of 31 kilos").cost == judged_and_read, "also where it is inferred then"
        assert route.answer("my order is 5 days late").cost == judged_and_read + each, "of its own question, too"
        assert route.answer("my order is 2 days late").cost == judged_and_read, "which is not always asked"

    def test_a_program_s_own_questions_go_to_who_answers_them(
        self, tables: Tables, routes: Routes, reader: Any
    ) -> None:
        seen: list[str] = []

        def answerer_of(table: Table) -> RecordedAnswers:
            seen.append(table.name)
            return RecordedAnswers({"the order is late": False})

        found = Router(tables, routes, reader, answerer_of).answer("my order is 5 days late")
        assert found.answer is not None
        assert (seen, found.answer.json_text) == (["late"], '"no"')
        assert "the order is late" not in {question.wording for question, _ in reader.asked}

    def test_inputs_that_the_program_does_not_take_are_inferred(self, routes: Routes) -> None:
        source = "def gcd(a: int = 1, b: int = 2, /):\n    return a + b\n"
        table = compile_table(source, "f.py", "gcd", CompileOptions(max_examples=3, seconds=1.0)).table
        reader = RecordedAnswers({"this asks for gcd": True, "a": None, "b": 3})
        reader.name = "rules"  # type: ignore[attr-defined]
        tables = {"gcd": table, "parcel": table, "late": table}
        found = router(tables, routes, reader).answer(GCD)
        assert (found.program, found.answer) == (None, None)

    @pytest.mark.parametrize("error", [BadRequest("no", code="no_answer"), UpstreamError("down", retryable=True)])
    def test_what_readers_raise_is_raised(
        self, tables: Tables, routes: Routes, reader: Any, error: PointsmanError
    ) -> None:
        class Failing:
            def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
                raise error

        with pytest.raises(type(error)) as caught:
            router(tables, routes, reader, Failing()).answer("my order is 5 days late")
        assert caught.value is error
        with pytest.raises(UpstreamError, match="down"):
            router(tables, routes, Broken()).answer(GCD)

    def test_another_reader_is_refused(self, tables: Tables, routes: Routes) -> None:
        with pytest.raises(BadRequest, match=r"certified with rules; .* not believer") as caught:
            router(tables, routes, Believer())
        assert caught.value.code == "other_reader"

    def test_a_program_that_is_not_there_is_refused(self, tables: Tables, routes: Routes, reader: Any) -> None:
        with pytest.raises(BadRequest, match="the routes lead to 'parcel', which is not there") as caught:
            router({name: tables[name] for name in ("gcd", "late")}, routes, reader)
        assert caught.value.code == "other_programs"

    def test_programs_without_a_route_get_nothing(
        self, tables: Tables, routes: Routes, reader: Any, head_of: Callable[[Mapping[str | None, str]], Head]
    ) -> None:
        narrow = replace(routes, head=head_of({"gcd": "divisor", None: "poem"}))
        assert router(tables, narrow, reader).answer(PARCEL).program is None
        assert router(tables, narrow, reader).answer(GCD).program == "gcd"


class TestOneProgram:
    def test_a_request_is_answered_at_the_cost_of_reading_and_running(self, tables: Tables, reader: Any) -> None:
        found = answer_text(tables["late"], "my order is 5 days late", {}, reader, reader)
        assert (found.kind, found.json_text) == ("value", '"yes"')
        assert found.cost == Cost(20, 2, 4, 200, 1.0)

    def test_what_is_missing_is_asked_for(self, tables: Tables, reader: Any) -> None:
        found = answer_text(tables["gcd"], "the divisor, please", {}, reader, reader)
        assert found == AsksBack("Please tell me the first number and the second number.", Cost(20, 2, 4, 200, 1.0))
        assert (found.kind, found.states_visited) == ("question", 0)

    def test_what_is_given_is_not_read(self, tables: Tables, reader: Any) -> None:
        found = answer_text(tables["gcd"], "the divisor of 5", {"a": 84, "b": 36}, reader, reader)
        assert (found.json_text, found.cost, reader.asked) == ("12", Cost.zero(), [])

    def test_exceptions_are_answers(self, tables: Tables, reader: Any) -> None:
        found = answer_text(tables["parcel"], "a parcel of 0 kilos", {}, reader, reader)
        assert found.kind == "exception"

    @pytest.mark.parametrize("given", [{"c": 1}, {"a": "x"}])
    def test_wrong_inputs_are_refused(self, tables: Tables, reader: Any, given: dict[str, object]) -> None:
        with pytest.raises(BadRequest) as caught:
            answer_text(tables["gcd"], GCD, given, reader, reader)
        assert caught.value.code == "bad_inputs"
