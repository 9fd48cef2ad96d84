"""Assignments, knapsacks and schedules of a few people, things or jobs. Answers come from trying every way.

A schedule's best makespan is that of the best order, where each job of the order starts as early as it can: some order
gives an optimal schedule, since later starts never help.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations, product

from pointsman.embedded.puzzles.puzzle import Json, Puzzle, PuzzleVerdict, Variant, capital, equal, linear, listed
from pointsman.embedded.wording import draw_names

SIZES = range(3, 7)
THINGS = "lamp rope tent stove radio book blanket axe".split()
JOBS = "roof wall door floor fence path gate garden".split()


def _named(told: Sequence[tuple[Json, str]]) -> list[Json]:
    """Constraints with a name and the sentence that says them."""
    return [{**one, "name": f"rule {number}", "text": text} for number, (one, text) in enumerate(told, 1)]


# -- assignments ------------------------------------------------------------------------------------------------------


def draw_assignment(rng: random.Random, size: int, variant: Variant) -> Puzzle:
    """Who does which job in the least hours; or, without hours, who does what by what each can do."""
    people, jobs = draw_names(rng, "train", size), rng.sample(JOBS, size)
    hours = {(one, job): rng.randint(1, 20) for one in people for job in jobs}
    is_timed = variant == "plain" and rng.random() < 0.6
    able = {one: [job for job in jobs if rng.random() < (0.85 if is_timed else 0.6)] for one in people}
    for one in people:
        able[one] = able[one] or [rng.choice(jobs)]
    if variant == "infeasible":
        for one in rng.sample(people, 2):
            able[one] = [jobs[0]]
    ways = [way for way in permutations(jobs) if all(job in able[one] for one, job in zip(people, way, strict=True))]
    if (not ways) != (variant == "infeasible") or (variant == "several" and len(ways) < 2):
        return draw_assignment(rng, size, variant)
    told = [(_able(one, able[one]), _able_text(rng, one, able[one], jobs)) for one in people if able[one] != jobs]
    story = [
        f"{listed(people)} share these jobs: the {listed(jobs, 'and the')}.",
        "Each person does exactly one job, and each job is done by exactly one person.",
        *(_hours_text(rng, one, jobs, hours) for one in people if is_timed),
        *(text for _, text in told),
    ]
    rules = [{"type": "all_different", "variables": people, "name": "each job once"}, *_named(told)]
    variables: list[Json] = [{"type": "named", "name": one, "values": jobs} for one in people]
    problem: dict[str, object] = {"variables": variables, "constraints": rules, "asks": people}
    if not is_timed:
        is_one = len(ways) == 1
        verdict: PuzzleVerdict = "infeasible" if not ways else "unique" if is_one else "several"
        answers = dict(zip(people, ways[0], strict=True)) if is_one else {}
        return Puzzle("assignment", size, " ".join(story), "Who does which job?", problem, verdict, answers)
    for one in people:
        variables.append({"type": "int", "name": f"hours of {one}", "low": 1, "high": 20})
        rows = [[job, hours[one, job]] for job in jobs]
        rules.append({"type": "table", "variables": [one, f"hours of {one}"], "rows": rows})
    problem["objective"] = {"type": "minimise", "terms": [[1, f"hours of {one}"] for one in people]}
    sums = [sum(hours[pair] for pair in zip(people, way, strict=True)) for way in ways]
    question = "What is the least total number of hours?"
    is_only = sums.count(min(sums)) == 1
    return Puzzle("assignment", size, " ".join(story), question, problem, "optimal", {}, min(sums), is_only)


def _able(person: str, jobs: Sequence[str]) -> Json:
    return {"type": "or", "any": [equal(person, job) for job in jobs]}


def _able_text(rng: random.Random, person: str, able: Sequence[str], jobs: Sequence[str]) -> str:
    unable = [job for job in jobs if job not in able]
    if len(unable) < len(able):
        verb = rng.choice(("cannot do", "can't do", "is not able to do"))
        return f"{person} {verb} the {listed(unable, 'or the')}."
    return f"{person} {rng.choice(('can only do', 'is only able to do'))} the {listed(able, 'or the')}."


def _hours_text(rng: random.Random, person: str, jobs: Sequence[str], hours: Mapping[tuple[str, str], int]) -> str:
    parts = [f"{hours[person, job]} hour{'s' * (hours[person, job] > 1)} for the {job}" for job in jobs]
    return f"{person} {rng.choice(('needs', 'takes', 'requires'))} {listed(parts)}."


# -- knapsacks --------------------------------------------------------------------------------------------------------


def draw_knapsack(rng: random.Random, size: int, variant: Variant) -> Puzzle:
    """Things with a weight and a worth, and a bag that holds so much; perhaps two that exclude each other."""
    things = rng.sample(THINGS, size)
    weight = {one: rng.randint(1, 12) for one in things}
    worth = {one: rng.randint(1, 30) for one in things}
    limit = rng.randint(max(weight.values()), max(sum(weight.values()) * 2 // 3, max(weight.values())))
    apart = rng.sample(things, 2) if rng.random() < 0.5 else []
    ways = [
        [one for one, taken in zip(things, chosen, strict=True) if taken]
        for chosen in product((False, True), repeat=size)
    ]
    ways = [way for way in ways if sum(weight[one] for one in way) <= limit and not (apart and set(apart) <= set(way))]
    sums = [sum(worth[one] for one in way) for way in ways]
    is_only = sums.count(max(sums)) == 1
    if variant == "several" and is_only:
        return draw_knapsack(rng, size, variant)
    told: list[tuple[Json, str]] = [
        (
            linear([(weight[one], one) for one in things], "<=", limit),
            rng.choice((f"A bag holds at most {limit} kg.", f"A bag can carry no more than {limit} kg.")),
        )
    ]
    if apart:
        a, b = apart
        sentence = rng.choice(
            (f"The {a} and the {b} cannot both be taken.", f"The {a} and the {b} exclude each other.")
        )
        told.append((linear([(1, a), (1, b)], "<=", 1), sentence))
    if variant == "infeasible":
        least = max(sums) + rng.randint(1, 5)
        goal = linear([(worth[one], one) for one in things], ">=", least)
        told.append((goal, f"The total worth must be at least {least} coins."))
    each = [_thing_text(rng, one, weight[one], worth[one]) for one in things]
    story = [told[0][1], "Each thing can be taken once.", *each, *(text for _, text in told[1:])]
    problem = {
        "variables": [{"type": "bool", "name": one} for one in things],
        "constraints": _named(told),
        "objective": {"type": "maximise", "terms": [[worth[one], one] for one in things]},
    }
    question = "What is the greatest total worth that fits?"
    if variant == "infeasible":
        return Puzzle("knapsack", size, " ".join(story), question, problem, "infeasible", {})
    return Puzzle("knapsack", size, " ".join(story), question, problem, "optimal", {}, max(sums), is_only)


def _thing_text(rng: random.Random, thing: str, weight: int, worth: int) -> str:
    coins = f"{worth} coin{'s' * (worth > 1)}"
    return rng.choice(
        (
            f"The {thing} weighs {weight} kg and is worth {coins}.",
            f"The {thing} is worth {coins} and weighs {weight} kg.",
            f"The {thing} has a weight of {weight} kg and a worth of {coins}.",
        )
    )


# -- schedules --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shop:
    """Jobs with their hours, the earliest start of some, and pairs of which the first ends before the second starts."""

    hours: Mapping[str, int]
    earliest: Mapping[str, int]
    pairs: Sequence[tuple[str, str]]
    machines: int

    def best(self) -> int:
        """The least makespan over all orders."""
        return min(span for order in permutations(self.hours) if (span := self._span(order)) is not None)

    def _span(self, order: Sequence[str]) -> int | None:
        """The makespan where each job of an order starts as early as it can; None where the order breaks a pair."""
        ends: dict[str, int] = {}
        starts: dict[str, int] = {}
        for job in order:
            before = [a for a, b in self.pairs if b == job]
            if not all(a in ends for a in before):
                return None
            start = max([self.earliest.get(job, 0), *(ends[a] for a in before)])
            while not self._is_free(start, start + self.hours[job], starts, ends):
                start += 1
            starts[job], ends[job] = start, start + self.hours[job]
        return max(ends.values())

    def _is_free(self, start: int, end: int, starts: Mapping[str, int], ends: Mapping[str, int]) -> bool:
        return all(sum(starts[job] <= hour < ends[job] for job in starts) < self.machines for hour in range(start, end))


def draw_schedule(rng: random.Random, size: int, variant: Variant) -> Puzzle:
    """Jobs on one to three machines: the earliest hour by which all are done."""
    jobs = rng.sample(JOBS, size)
    order = rng.sample(jobs, size)
    pairs = [(a, b) for a, b in pairwise(order) if rng.random() < 0.4]
    machines = rng.randint(1, 3 if size > 3 else 2)
    earliest = {job: rng.randint(1, 8) for job in jobs if rng.random() < 0.4}
    shop = _Shop({job: rng.randint(1, 7) for job in jobs}, earliest, pairs, machines)
    best = shop.best()
    told: list[tuple[Json, str]] = [(_machine_rule(shop), _machine_text(rng, machines))]
    told += [
        (linear([(1, job)], ">=", hour), f"The {job} cannot start before hour {hour}.")
        for job, hour in earliest.items()
    ]
    told += [(linear([(1, b), (-1, a)], ">=", shop.hours[a]), _pair_text(rng, a, b)) for a, b in pairs]
    each = [f"The {job} {rng.choice(('takes', 'needs'))} {n} hour{'s' * (n > 1)}." for job, n in shop.hours.items()]
    story = [told[0][1], "A job is never interrupted.", *each, *(text for _, text in told[1:])]
    rules = _named(told)
    if variant == "infeasible":
        last = best - 1
        story.append(f"All jobs must be done by hour {last}.")
        ends = [linear([(1, job)], "<=", last - n) for job, n in shop.hours.items()]
        rules.append({"type": "and", "all": ends, "name": "the end", "text": story[-1]})
    horizon = sum(shop.hours.values()) + max([0, *earliest.values()])
    tasks = _tasks(shop)
    problem = {
        "variables": [{"type": "int", "name": job, "low": 0, "high": horizon} for job in jobs],
        "constraints": rules,
        "objective": {"type": "makespan", "tasks": tasks},
    }
    question = "What is the earliest hour by which all jobs can be done?"
    if variant == "infeasible":
        return Puzzle("schedule", size, " ".join(story), question, problem, "infeasible", {})
    return Puzzle("schedule", size, " ".join(story), question, problem, "optimal", {}, best)


def _tasks(shop: _Shop) -> list[Json]:
    return [{"start": job, "duration": hours} for job, hours in shop.hours.items()]


def _machine_rule(shop: _Shop) -> Json:
    if shop.machines == 1:
        return {"type": "no_overlap", "tasks": _tasks(shop)}
    return {"type": "cumulative", "tasks": _tasks(shop), "capacity": shop.machines}


def _machine_text(rng: random.Random, machines: int) -> str:
    if machines == 1:
        return rng.choice(
            ("There is one machine, which does one job at a time.", "One machine does one job at a time.")
        )
    number = {2: "two", 3: "three"}[machines]
    return rng.choice(
        (
            f"There are {number} machines, each of which does one job at a time.",
            f"{capital(number)} machines do one job at a time each.",
        )
    )


def _pair_text(rng: random.Random, first: str, second: str) -> str:
    return rng.choice(
        (
            f"The {first} must be finished before the {second} starts.",
            f"The {second} can only start after the {first} is finished.",
            f"The {first} has to be done before the {second} starts.",
        )
    )
