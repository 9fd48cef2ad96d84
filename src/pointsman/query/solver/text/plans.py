"""Reads assignments, knapsacks and schedules: each a list of patterns, and rules that become constraints at the end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pointsman.query.solver.text.sentences import (
    NEGATION,
    Candidate,
    Candidates,
    Json,
    Unread,
    bare,
    is_doubtful,
    items,
    number,
    numbered,
)

__all__ = ["AssignmentReader", "KnapsackReader", "ScheduleReader"]

_HOURS_FOR = re.compile(r"(\d{1,9}) hours? for the (\w+)")
_ALL_HOURS = re.compile(rf"{_HOURS_FOR.pattern}(?:(?:, and |, | and ){_HOURS_FOR.pattern})*")


class _PatternReader:
    """Implements `sentences.SentenceReader` for a list of patterns.

    A pattern has one reading for each of its rules: what a model is told of it, and the rule's name. What the pattern
    captures are the rule's arguments. Names are compared in lower case and told as the text spells them.
    """

    patterns: ClassVar[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]]
    questions: ClassVar[tuple[tuple[str, str], ...]]

    def __init__(self) -> None:
        self._rules: list[tuple[str, tuple[str, ...], str]] = []
        self._question = ""

    def candidates(self, sentence: str) -> Candidates:
        """See `SentenceReader`."""
        told = sentence.rstrip(". ").replace("\u2019", "'")
        for pattern, rules in self.patterns:
            if fits := re.fullmatch(pattern, told, re.IGNORECASE):
                arguments = tuple(found for found in fits.groups() if found is not None)
                return Candidates(tuple(Candidate(one, (name, arguments)) for one, name in rules), is_by_pattern=True)
        guessed = () if is_doubtful(bare(sentence)) else tuple(self.guesses(bare(sentence)))
        return Candidates(guessed)

    def guesses(self, told: str) -> Iterator[Candidate]:
        """What a sentence may say that no pattern fits, by what it mentions."""
        yield from ()

    def take(self, candidate: Candidate, sentence: str) -> None:
        """See `SentenceReader`."""
        name, arguments = candidate.rule
        assert isinstance(name, str)
        assert isinstance(arguments, tuple)
        self._rules.append((name, arguments, sentence))

    def ask(self, question: str) -> None:
        """See `SentenceReader`."""
        for pattern, name in self.questions:
            if re.fullmatch(pattern, bare(question)):
                self._question = name
                return
        raise Unread("question_not_read", question)

    def of(self, name: str) -> list[tuple[tuple[str, ...], str]]:
        """The arguments and sentences of a rule."""
        return [(arguments, sentence) for rule, arguments, sentence in self._rules if rule == name]

    def only(self, name: str) -> tuple[tuple[str, ...], str]:
        """Of a rule that is to be said once. Raises Unread `incomplete`."""
        found = self.of(name)
        if len(found) != 1:
            raise Unread("incomplete", found[1][1] if found else None)
        return found[0]


def _known(name: str, names: Sequence[str], sentence: str) -> str:
    """A name as it was introduced. Raises Unread `sentence_not_read`."""
    for one in names:
        if one.casefold() == name.casefold():
            return one
    raise Unread("sentence_not_read", sentence)


def _unique(names: Sequence[str], sentence: str) -> list[str]:
    if len({name.casefold() for name in names}) < len(names) or not all(names):
        raise Unread("sentence_not_read", sentence)
    return list(names)


def _mentioned(told: str, names: Sequence[str]) -> list[str]:
    places = {name: re.search(rf"\b{re.escape(name.casefold())}\b", told) for name in names}
    found = [(fits.start(), name) for name, fits in places.items() if fits]
    return [name for _, name in sorted(found)]


class AssignmentReader(_PatternReader):
    """People who share jobs, one each."""

    patterns = (
        (r"(.+) share these jobs: (.+)", (("shares", "share"),)),
        (r"each person does exactly one job, and each job is done by exactly one person", (("each", "each"),)),
        (r"(\w+) (?:needs|takes|requires) (\d{1,9} hours? for .+)", (("hours", "hours"),)),
        (r"(\w+) (?:can only do|is only able to do|only does) (.+)", (("only these", "able"),)),
        (r"(\w+) (?:cannot do|can't do|is not able to do|is unable to do|must not do|does not do) (.+)",
         (("never these", "unable"),)),
        (r"(\w+) (?:does|must do|has to do) the (\w+)", (("only this", "able"),)),
        (r"(\w+) can do (.+)", (("only these and no other", "able"), ("also these, perhaps others", "nothing"))),
    )  # fmt: skip
    questions = (
        (r"what is the (?:least|smallest|lowest|minimal|minimum) total number of hours", "hours"),
        (r"who does which job|who does what", "jobs"),
    )

    def guesses(self, told: str) -> Iterator[Candidate]:
        """A person and a job."""
        if not self.of("share"):
            return
        people, jobs = map(items, self.of("share")[0][0])
        who, what = _mentioned(told, people), _mentioned(told, jobs)
        if len(who) == len(what) == 1:
            pair = (who[0], what[0])
            if NEGATION.search(told):
                yield Candidate(f"never: {who[0]} does the {what[0]}", ("unable", pair))
            else:
                yield Candidate(f"always: {who[0]} does the {what[0]}", ("able", pair))

    def problem(self) -> Json:
        """See `SentenceReader`."""
        (who, what), first = self.only("share")
        self.only("each")
        people, jobs = _unique(items(who), first), _unique(items(what), first)
        if len(people) != len(jobs):
            raise Unread("incomplete", first)
        told: list[tuple[Json, str]] = []
        for is_able in (True, False):
            for (one, listed), sentence in self.of("able" if is_able else "unable"):
                if not is_able and " and " in listed:
                    raise Unread("sentence_not_read", sentence)
                person = _known(one, people, sentence)
                these = [_known(job, jobs, sentence) for job in items(listed)]
                left = [job for job in jobs if (job in these) == is_able]
                equals = [{"type": "equal", "left": person, "value": job} for job in left]
                nothing = {"type": "different", "left": person, "right": person}
                told.append(({"type": "or", "any": equals or [nothing]}, sentence))
        variables: list[Json] = [{"type": "named", "name": one, "values": jobs} for one in people]
        rules: list[Json] = [{"type": "all_different", "variables": people, "name": "each job once"}, *numbered(told)]
        problem: dict[str, object] = {"variables": variables, "constraints": rules, "asks": people}
        if self._question == "hours":
            self._add_hours(people, jobs, variables, rules)
            problem["objective"] = {"type": "minimise", "terms": [[1, f"hours of {one}"] for one in people]}
        return problem

    def _add_hours(self, people: list[str], jobs: list[str], variables: list[Json], rules: list[Json]) -> None:
        seen: dict[str, dict[str, int]] = {}
        for (one, listed), sentence in self.of("hours"):
            found = _HOURS_FOR.findall(listed)
            person = _known(one, people, sentence)
            hours = {_known(job, jobs, sentence): int(count) for count, job in found}
            if person in seen or len(hours) < len(found) or _ALL_HOURS.fullmatch(listed) is None:
                raise Unread("sentence_not_read", sentence)
            seen[person] = hours
        for person in people:
            if set(seen.get(person, ())) != set(jobs):
                raise Unread("incomplete")
            most = max(seen[person].values())
            variables.append({"type": "int", "name": f"hours of {person}", "low": 0, "high": most})
            rows = [[job, seen[person][job]] for job in jobs]
            rules.append({"type": "table", "variables": [person, f"hours of {person}"], "rows": rows})


class KnapsackReader(_PatternReader):
    """Things with a weight and a worth, and a bag."""

    patterns = (
        (r"(?:a|the) bag (?:holds|can hold|can carry|carries) (?:at most|no more than|up to) (\d{1,9}) kg",
         (("limit", "limit"),)),
        (r"each thing can be taken (?:at most )?once", (("once", "once"),)),
        (r"the (\w+) weighs (\d{1,9}) kg and is worth (\d{1,9}) coins?", (("thing", "thing"),)),
        (r"the (\w+) is worth (\d{1,9}) coins? and weighs (\d{1,9}) kg", (("thing", "worth first"),)),
        (r"the (\w+) has a weight of (\d{1,9}) kg and a worth of (\d{1,9}) coins?", (("thing", "thing"),)),
        (r"the (\w+) and the (\w+) (?:cannot both be taken|exclude each other)", (("apart", "apart"),)),
        (r"if the (\w+) is taken, (?:then )?the (\w+) (?:must be|is) taken(?: too)?", (("with", "with"),)),
        (r"the (\w+) must be taken", (("taken", "taken"),)),
        (r"the total worth must be at least (\d{1,9}) coins?", (("goal", "goal"),)),
    )  # fmt: skip
    questions = ((r"what is the (?:greatest|largest|highest|maximal|maximum) total worth that fits", "worth"),)

    def guesses(self, told: str) -> Iterator[Candidate]:
        """Two things."""
        found = _mentioned(told, list(self._things()))
        if len(found) == 2 and not re.search(r"\d", told):
            yield Candidate(f"apart: not both {found[0]} and {found[1]}", ("apart", tuple(found)))
            yield Candidate(f"with: whoever takes {found[0]} takes {found[1]}", ("with", tuple(found)))

    def _things(self) -> dict[str, tuple[int, int]]:
        """Weight and worth of each."""
        told = [(name, (weight, worth), text) for (name, weight, worth), text in self.of("thing")]
        told += [(name, (weight, worth), text) for (name, worth, weight), text in self.of("worth first")]
        found: dict[str, tuple[int, int]] = {}
        for name, (weight, worth), sentence in told:
            if name.casefold() in map(str.casefold, found):
                raise Unread("sentence_not_read", sentence)
            found[name] = (int(weight), int(worth))
        return found

    def problem(self) -> Json:
        """See `SentenceReader`."""
        things = self._things()
        ((limit,), first), _ = self.only("limit"), self.only("once")
        names = list(things)
        rules: list[tuple[Json, str]] = [(_sum([(things[one][0], one) for one in names], "<=", int(limit)), first)]
        for kind in ("apart", "with", "taken", "goal"):
            for arguments, sentence in self.of(kind):
                if kind == "goal":
                    made = _sum([(things[one][1], one) for one in names], ">=", int(arguments[0]))
                else:
                    chosen = [_known(one, names, sentence) for one in arguments]
                    signs, op, value = {
                        "apart": ((1, 1), "<=", 1),
                        "with": ((1, -1), "<=", 0),
                        "taken": ((1,), "==", 1),
                    }[kind]
                    made = _sum(list(zip(signs, chosen, strict=True)), op, value)
                rules.append((made, sentence))
        return {
            "variables": [{"type": "bool", "name": one} for one in names],
            "constraints": numbered(rules),
            "objective": {"type": "maximise", "terms": [[things[one][1], one] for one in names]},
        }


class ScheduleReader(_PatternReader):
    """Jobs on machines."""

    patterns = (
        (r"there (?:is|are) (\w+) machines?, (?:which|each of which) does one job at a time",
         (("machines", "machines"),)),
        (r"(\w+) machines? (?:does|do) one job at a time(?: each)?", (("machines", "machines"),)),
        (r"a job is never interrupted", (("whole", "whole"),)),
        (r"the (\w+) (?:takes|needs|lasts) (\d{1,9}) hours?", (("hours", "hours"),)),
        (r"the (\w+) (?:cannot|can't|must not) start before hour (\d{1,9})", (("earliest", "earliest"),)),
        (r"the (\w+) (?:must|has to) be (?:done|finished) by hour (\d{1,9})", (("latest", "latest"),)),
        (r"the (\w+) (?:must|has to) be (?:finished|done) before the (\w+) starts", (("pair", "pair"),)),
        (r"the (\w+) can only start after the (\w+) is (?:finished|done)", (("pair", "later"),)),
        (r"the (\w+) comes before the (\w+)", (("finished before it starts", "pair"), ("started before it", "starts"))),
        (r"all jobs must be (?:done|finished) by hour (\d{1,9})", (("end", "end"),)),
    )  # fmt: skip
    questions = ((r"what is the earliest hour by which all jobs can be (?:done|finished)", "end"),)

    def guesses(self, told: str) -> Iterator[Candidate]:
        """Two jobs."""
        found = _mentioned(told, [name for (name, _), _ in self.of("hours")])
        if len(found) == 2 and not NEGATION.search(told) and not re.search(r"\d", told):
            first, second = found
            yield Candidate(f"first: {first} is finished before {second} starts", ("pair", (first, second)))
            yield Candidate(f"last: {second} is finished before {first} starts", ("pair", (second, first)))

    def problem(self) -> Json:
        """See `SentenceReader`."""
        ((machines,), first), _ = self.only("machines"), self.only("whole")
        capacity = number(machines.casefold())
        hours = {name: int(count) for (name, count), _ in self.of("hours")}
        jobs = _unique([name for (name, _), _ in self.of("hours")], first)
        if not capacity or not jobs:
            raise Unread("incomplete", first)
        tasks = [{"start": job, "duration": count} for job, count in hours.items()]
        one: Json = {"type": "no_overlap", "tasks": tasks}
        rules = [(one if capacity == 1 else {"type": "cumulative", "tasks": tasks, "capacity": capacity}, first)]
        rules += [(made, sentence) for kind in ("earliest", "latest") for made, sentence in self._bounds(kind, hours)]
        rules += [
            (made, sentence) for kind in ("pair", "later", "starts") for made, sentence in self._orders(kind, hours)
        ]
        for (last,), sentence in self.of("end"):
            ends: list[Json] = [_sum([(1, job)], "<=", int(last) - count) for job, count in hours.items()]
            rules.append(({"type": "and", "all": ends}, sentence))
        horizon = sum(hours.values()) + max([0, *(int(hour) for (_, hour), _ in self.of("earliest"))])
        return {
            "variables": [{"type": "int", "name": job, "low": 0, "high": horizon} for job in jobs],
            "constraints": numbered(rules),
            "objective": {"type": "makespan", "tasks": tasks},
        }

    def _bounds(self, kind: str, hours: dict[str, int]) -> Iterator[tuple[Json, str]]:
        for (name, hour), sentence in self.of(kind):
            job = _known(name, list(hours), sentence)
            is_start = kind == "earliest"
            yield _sum([(1, job)], ">=" if is_start else "<=", int(hour) - (0 if is_start else hours[job])), sentence

    def _orders(self, kind: str, hours: dict[str, int]) -> Iterator[tuple[Json, str]]:
        for arguments, sentence in self.of(kind):
            names = [_known(name, list(hours), sentence) for name in arguments]
            first, second = reversed(names) if kind == "later" else names
            yield _sum([(1, second), (-1, first)], ">=", 1 if kind == "starts" else hours[first]), sentence


def _sum(terms: Sequence[tuple[int, str]], op: str, value: int) -> Json:
    return {"type": "linear", "terms": [list(term) for term in terms], "op": op, "value": value}
