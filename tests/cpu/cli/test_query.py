"""Commands of the query level with an embedding."""

import json
from pathlib import Path
from typing import Any

import numpy as np

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heron")


def table(path: Path) -> None:
    """The small arm can do the first four words, the large one all."""
    rng, rows = np.random.default_rng(0), []
    for number in range(80):
        kind = int(rng.integers(2))
        text = " ".join(rng.choice(WORDS[4 * kind : 4 * kind + 4], 6))
        outcomes = {"small": {"correct": 1 - kind, "cost_usd": 0.001}, "large": {"correct": 1, "cost_usd": 0.02}}
        rows.append({"id": str(number), "prompt": text, "outcomes": outcomes})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_results_with_an_embedding_say_so_and_are_kept_apart(pm: Any, tmp_path: Path, write_embedding: Any) -> None:
    table(tmp_path / "t.jsonl")
    write_embedding(tmp_path / "e", {word: [float(number < 4), 1.0] for number, word in enumerate(WORDS)})
    command = "evaluate", "query", "t.jsonl", "--quick", "--resume", "kept"
    missing = pm(*command, "--embedding", "none")
    assert (missing.code, missing.out) == (2, "")
    assert "[no_embedding]" in missing.err
    found = pm(*command, "--embedding", "e")
    assert found.code == 0
    assert "embedding: e, 2 dimensions, for all entrants" in found.out
    told = json.loads(found.out.splitlines()[-1])
    assert sorted(told["data"]) == ["embedding", "t.jsonl"]
    assert told["figures"]["gap_closed.iid"]["value"] > 0.5
    assert "[other_table]" in pm(*command).err


def test_a_model_s_name_is_an_embedding_everywhere(pm: Any, tmp_path: Path) -> None:
    table(tmp_path / "t.jsonl")
    named = "--embedding", "embedded/small"
    found = pm("fit", "query", "--outcomes", "t.jsonl", *named, "-o", "policy")
    assert found.code == 0
    assert "with 24 dimensions of the embedding embedded/small" in found.out
    explain = "explain", "policy", "amber birch", "--json"
    first = pm(*explain)
    assert (first.code, pm(*explain, *named).out) == (0, first.out)
    refused = pm("calibrate", "query", "policy", "--outcomes", "t.jsonl", "--embedding", "embedded/large")
    assert (refused.code, "[other_embedding]" in refused.err) == (2, True)
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()[:20]]
    new = [{**row, "outcomes": {"new": row["outcomes"]["small"]}} for row in rows]
    (tmp_path / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in new))
    assert pm("fit", "query", "--onto", "policy", "--outcomes", "new.jsonl", "-o", "policy2").code == 0
    assert json.loads((tmp_path / "policy2/policy.json").read_text())["embedding_folder"] == "embedded/small"
    assert "24 dimensions, for all entrants" in pm("evaluate", "query", "t.jsonl", "--quick", *named).out
