"""``pointsman fit query``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pointsman.cli.extras import require_learning
from pointsman.cli.models import source_of
from pointsman.cli.progress import counted
from pointsman.core import BadRequest

if TYPE_CHECKING:  # numpy is loaded by the command, not by --help
    from pointsman.query.outcomes import Outcomes
    from pointsman.query.reading import CostKind, ReadTable
    from pointsman.query.storing import StoredPolicy

__all__ = ["kind_of", "names_of", "query"]


def query(
    outcomes: Annotated[
        list[Path], typer.Option("--outcomes", help="Outcome tables, JSON Lines or those in gzip; repeatable.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the policy.")] = Path("policy"),
    arms: Annotated[
        str | None, typer.Option(help="Only these arms, with commas between [default: all priced].")
    ] = None,
    costs: Annotated[
        Path | None, typer.Option(help="JSON of prices by arm: [input, output] US dollars per million tokens.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(help="That savings and losses are counted against [default: most often right].")
    ] = None,
    onto: Annotated[
        Path | None, typer.Option(help="Let new arms join this policy, with ten rows or more of each.")
    ] = None,
    cost: Annotated[
        str | None, typer.Option(help="What a policy saves: nano_usd or moved_bytes, of models of one's own.")
    ] = None,
    votes: Annotated[
        int | None, typer.Option(min=3, help="Add arms ARM?n=VOTES, of which so many samples of the table vote.")
    ] = None,
    embedding: Annotated[
        Path | None,
        typer.Option(help="Folder of an embedding to learn with, or a model; with --onto, where the policy's is now."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of learning.")] = 0,
) -> None:
    """Learn from outcomes which arm a request needs; all rows are learned from, so keep others to calibrate with.

    pointsman fit query --outcomes outcomes.jsonl -o policy

    pointsman fit query --outcomes a.jsonl --outcomes b.jsonl.gz --arms small,large --costs costs.json

    pointsman fit query --outcomes collected.jsonl --cost moved_bytes

    pointsman fit query --outcomes sampled.jsonl --votes 3

    pointsman fit query --onto policy --outcomes new.jsonl -o policy2

    pointsman fit query --outcomes outcomes.jsonl --embedding potion

    pointsman fit query --outcomes outcomes.jsonl --embedding embedded/small
    """
    require_learning()
    from pointsman.query.reading import read_tariffs

    if onto is not None and reference is not None:
        raise BadRequest("--reference is the policy's own with --onto; leave it out", code="conflicting_options")
    if onto is not None and cost is not None:
        raise BadRequest("--cost is the policy's own with --onto; leave it out", code="conflicting_options")
    if onto is not None and votes is not None:
        raise BadRequest("--votes adds several arms; with --onto name one in --arms", code="conflicting_options")
    kind = kind_of("nano_usd" if cost is None else cost)
    tariffs = None if costs is None else read_tariffs(costs)
    if onto is None:
        _fit(outcomes, output, names_of(arms), tariffs, votes, reference, seed, kind, embedding)
    else:
        _join(outcomes, output, names_of(arms), tariffs, onto, seed, embedding)


def kind_of(cost: str) -> CostKind:
    """Of costs that a policy can save. Raises BadRequest `unknown_cost`."""
    from pointsman.query.reading import COST_KINDS

    for kind in COST_KINDS:
        if kind == cost:
            return kind
    problem = f"--cost is {cost!r}; expected {' or '.join(COST_KINDS)}"
    raise BadRequest(problem, code="unknown_cost", param="cost")


def names_of(arms: str | None) -> list[str] | None:
    """Of arms with commas between. Raises BadRequest `unknown_arm` where there are none."""
    if arms is None:
        return None
    names = [name.strip() for name in arms.split(",") if name.strip()]
    if not names:
        raise BadRequest("--arms is empty; expected names with commas between", code="unknown_arm", param="arms")
    return names


def _fit(
    files: list[Path],
    folder: Path,
    arms: list[str] | None,
    tariffs: object,
    votes: int | None,
    reference: str | None,
    seed: int,
    kind: CostKind,
    embedding: Path | None,
) -> None:
    from pointsman.query.embedding import load_embedder
    from pointsman.query.learning import fit_policy
    from pointsman.query.reading import read_outcomes
    from pointsman.query.storing import save_policy

    embedder = None if embedding is None else load_embedder(embedding, source_of)
    with counted("reading, learning, writing", 3) as tick:
        read = read_outcomes(files, arms, tariffs, votes, kind=kind)  # type: ignore[arg-type]  # of `read_tariffs`
        tick(1)
        stored = fit_policy(read.outcomes, reference, seed, kind, embedder)
        tick(1)
        save_policy(stored, folder)
        tick(1)
    found = read.outcomes.left_for_arms()
    print("\n".join([*read.notes(), *_means(found, kind)]))
    print(_held_out(stored, found))
    print(_looks(stored))
    print(_written(stored, folder))


def _join(
    files: list[Path],
    folder: Path,
    arms: list[str] | None,
    tariffs: object,
    onto: Path,
    seed: int,
    embedding: Path | None,
) -> None:
    from pointsman.query.difficulty.growing import FEWEST_ROWS
    from pointsman.query.learning import grow_policy
    from pointsman.query.reading import read_outcomes
    from pointsman.query.storing import load_stored, save_policy

    stored = load_stored(onto, embedding, source_of)
    kind = stored.policy.kind
    read = read_outcomes(files, arms, tariffs, kind=kind, fewest_rows=FEWEST_ROWS, fewest_arms=1)  # type: ignore[arg-type]
    new = _new_arms(read, stored)
    with counted("arms joined", len(new)) as tick:
        for name in new:
            stored = grow_policy(stored, read.outcomes.columns([read.outcomes.index(name)]), seed)
            tick(1)
        save_policy(stored, folder)
    joined = read.outcomes.columns([read.outcomes.index(name) for name in new])
    print("\n".join([*read.notes(), *_means(joined, stored.policy.kind)]))
    print(f"joined: {', '.join(new)}, with {len(joined)} rows; what is unlike the other arms in them is not known yet")
    print(_written(stored, folder))


def _new_arms(read: ReadTable, stored: StoredPolicy) -> list[str]:
    new = [name for name in read.outcomes.names if name not in stored.policy.arms]
    if not new:
        problem = f"the policy has all arms of the table, {', '.join(read.outcomes.names)}; expected a new one"
        raise BadRequest(problem, code="arm_exists", param="outcomes")
    return new


def _means(outcomes: Outcomes, kind: CostKind) -> list[str]:
    width = max(len("arm"), *(len(name) for name in outcomes.names))
    cost = outcomes.nano_usd.mean(0) / (1e9 if kind == "nano_usd" else 1.0) * 1_000
    right, unit = outcomes.right.mean(0), "USD" if kind == "nano_usd" else "bytes moved"
    rows = [f"{name.ljust(width)}  {r:.3f}  {c:.6g}" for name, r, c in zip(outcomes.names, right, cost, strict=True)]
    return [f"{'arm'.ljust(width)}  right  {unit} per 1,000 requests", *rows]


def _held_out(stored: StoredPolicy, outcomes: Outcomes) -> str:
    from pointsman.query.adopting import held_out_curve
    from pointsman.query.frontier import curve_of, gap_closed

    forecasts, _ = stored.seen.for_certify(outcomes.names)
    gap = gap_closed(curve_of(forecasts, outcomes), outcomes)
    if gap != gap:
        return "held out: nothing to route: the cheapest arm is as good as any"
    told, sequences = f"{gap:.1%} of the gap closed", stored.policy.sequences
    if sequences is not None:
        told += f", {gap_closed(held_out_curve(sequences, forecasts, outcomes), outcomes):.1%} with sequences"
    return f"held out: {told}, from random mixtures of arms (0 %) to an oracle (100 %); no learner saw these rows"


def _looks(stored: StoredPolicy) -> str:
    policy = stored.policy
    if policy.sequences is None:
        return "sequences: none; to look first at what an arm answers does not pay on these rows, or they do not tell"
    shown = [" and ".join(policy.arms[arm] for arm in look.arms) for look in policy.sequences.looks]
    return f"sequences: it pays to look first at {'; at '.join(shown)}"


def _written(stored: StoredPolicy, folder: Path) -> str:
    policy = stored.policy
    embedder = policy.embedder
    learned = "" if embedder is None else f", with {embedder.num_dims} dimensions of the embedding {embedder.folder}"
    told = f"{folder}: {len(policy.arms)} arms, reference arm {policy.reference}, {policy.version}{learned}"
    return f"{told}; not certified yet: pointsman calibrate query {folder} --outcomes OTHER_ROWS"
