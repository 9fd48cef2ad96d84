"""Route or infer on a mix: are wrong routes as rare as certified, and is what programs cover found?

Thirteen compiled programs. Half of the requests is covered by one; the other half is not: near misses of kinds that the
reader never saw, the pair's other families, and, where a file of them is given, questions of public data sets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.bench.report import Report, mean_figure
from pointsman.core.asking import Question, Reply
from pointsman.embedded.reading.coverage import SUMMARIES, covered, uncovered
from pointsman.program import Table
from pointsman.program.ladder import Promise, Rung
from pointsman.program.text.calibrating_routes import Covered, calibrate_routes, is_wrong
from pointsman.program.text.parameters import summary_of
from pointsman.program.text.routes import match

__all__ = ["FILES", "add_routes"]

FILES: Final = {
    "factorial": "factorial",
    "fibonacci": "fibonacci",
    "power": "power",
    "gcd": "gcd",
    "merge_sorted": "merge_sorted",
    "binary_search": "binary_search",
    "bubble_sort": "bubble_sort",
    "total": "total",
    "count": "count",
    "is_palindrome": "palindrome",
    "how_many": "word_problem",
    "where": "whereabouts",
}
"""By the program's name, its file in `examples/`. The airline's needs a ticket, so a request alone never covers it."""

EPSILON: Final = 0.02

Tick = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class _Without:
    """The reader that is not there: it finds every statement half true. For what the head alone would do."""

    reader: Rung
    name: str = "no reader"

    def knows(self, question: Question) -> bool:
        return self.reader.knows(question)

    def answer(self, asked: Sequence[tuple[Question, str]]) -> list[Reply]:
        replies = self.reader.answer(asked)
        return [
            Reply(True, 1.0, self.name, reply.cost) if question.kind == "judge" else reply
            for (question, _), reply in zip(asked, replies, strict=True)
        ]


def add_routes(
    report: Report, tables: Mapping[str, Table], reader: Rung, num_each: int, others: Sequence[str], tick: Tick
) -> None:
    """Adds the share of wrong routes and of covered requests that are found, on requests that certified nothing."""
    for name, table in tables.items():
        if summary_of(table) != SUMMARIES[name]:
            raise AssertionError(f"{name} is for {summary_of(table)!r}, and the reader learned {SUMMARIES[name]!r}")
    examples = _mixed(2 * num_each, others[::2], f"{report.seed}/certifying")
    asked = _mixed(num_each, others[1::2], f"{report.seed}/asked")
    for kind, rung in (("head and reader", reader), ("head", _Without(reader))):
        routes = calibrate_routes(
            tables, examples, rung, Promise(EPSILON), on_match=lambda done: tick("routes: certifying", done)
        )
        wrong, found, by_kind = [], [], {True: [0, 0], False: [0, 0]}
        for one in asked:
            its = match(tables, routes.head, rung, one.request)
            is_routed = its.score >= routes.threshold
            wrong.append(float(is_wrong(one, its, routes.threshold)))
            if one.program is not None:
                found.append(float(is_routed and its.program == one.program))
            counts = by_kind[one.request in others]
            counts[0], counts[1] = counts[0] + int(wrong[-1]), counts[1] + 1
            tick(f"routes: {kind}", 1)
        share = sum(found) / len(found)
        report.details.append(
            f"routes by {kind}: certified from {routes.threshold:g} on ({routes.certificate.num_wrong} of "
            f"{routes.certificate.num_examples} wrong); {sum(wrong):.0f} of {len(wrong)} requests went wrong, of them "
            f"{by_kind[True][0]} of {by_kind[True][1]} from public data; {share:.3f} of the covered found"
        )
        if kind == "head and reader":
            report.figures["wrong_route_rate"] = mean_figure(wrong, "share", seed=report.seed, at_most=EPSILON)
            report.figures["covered_found_share"] = mean_figure(found, "share", seed=report.seed, at_least=0.8)


def _mixed(count: int, others: Sequence[str], seed: str) -> list[Covered]:
    """Different requests, half of them covered; held-out wordings and kinds."""
    rng = random.Random(f"routes/{seed}")  # noqa: S311
    found: dict[str, Covered] = {}
    foreign = rng.sample(list(others), min(len(others), count // 6))
    while len(found) < count // 2:
        text, name = covered(rng, "test")
        if name in FILES:
            found.setdefault(text, Covered(text, name))
    while len(found) < count - len(foreign):
        text = uncovered(rng, "test")
        found.setdefault(text, Covered(text, None))
    found |= {text: Covered(text, None) for text in foreign}
    return list(found.values())
