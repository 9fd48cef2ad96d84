"""`fit query`, `calibrate query` and `explain`, from files to files."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pointsman.gateway.server import _stored_policy
from pointsman.query.policy import Wish

_WORDS = "amber birch cedar delta ember fjord grove heron islet jetty knoll larch maple noble ocean pearl".split()
_PRICES = {"small": (10, 20), "words": (20, 60), "large": (100, 400)}  # nano-dollars a token


def rows(num_rows: int, seed: int) -> list[dict[str, Any]]:
    """Sums, which `small` can do, and words, which `words` can; `large` can do both."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(num_rows):
        is_sum = bool(rng.random() < 0.5)
        text = " + ".join(map(str, rng.integers(1000, size=3))) if is_sum else ", ".join(rng.choice(_WORDS, 6))
        chances = {"small": 0.95 if is_sum else 0.1, "words": 0.1 if is_sum else 0.95, "large": 0.95}
        outcomes = {}
        for name, (read, written) in _PRICES.items():
            tokens = 4 + len(text) // 4, int(rng.integers(5, 15))
            usd = (tokens[0] * read + tokens[1] * written) / 1e9
            right = int(rng.random() < chances[name])
            outcomes[name] = {
                "correct": right,
                "input_tokens": tokens[0],
                "output_tokens": tokens[1],
                "cost_usd": usd,
            }
        found.append({"id": f"{seed}-{number}", "prompt": text, "outcomes": outcomes})
    return found


def write(path: Path, found: Iterable[dict[str, Any]], *arms: str) -> None:
    kept = [
        {**row, "outcomes": {name: one for name, one in row["outcomes"].items() if not arms or name in arms}}
        for row in found
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in kept))


@pytest.fixture
def fitted(pm: Any, tmp_path: Path) -> Any:
    """`policy`, fitted on two files, and `kept.jsonl` to calibrate with."""
    found = rows(240, 0)
    write(tmp_path / "a.jsonl", found[:100])
    write(tmp_path / "b.jsonl", found[100:])
    write(tmp_path / "kept.jsonl", rows(500, 1))
    return pm("fit", "query", "--outcomes", "a.jsonl", "--outcomes", "b.jsonl", "-o", "policy")


def test_fit_tells_what_it_learned_from(fitted: Any, tmp_path: Path) -> None:
    assert fitted.code == 0
    lines = fitted.out.splitlines()
    assert lines[0].split() == ["arm", "right", "USD", "per", "1,000", "requests"]
    assert [line.split()[0] for line in lines[1:4]] == ["large", "small", "words"]
    assert "held out: " in lines[4]
    assert lines[5].startswith("sequences: none; ")
    assert "policy: 3 arms, reference arm large, joint/1+" in lines[6]
    assert (tmp_path / "policy/policy.json").is_file()


def test_fit_takes_arms_prices_and_a_reference(pm: Any, tmp_path: Path) -> None:
    found = rows(60, 0)
    for row in found:
        row["outcomes"]["small"]["cost_usd"] = 0
    write(tmp_path / "a.jsonl", found)
    left_out = pm("fit", "query", "--outcomes", "a.jsonl")
    assert "left out: the arm small, whose cost is zero" in left_out.out
    assert "policy: 2 arms" in left_out.out
    (tmp_path / "costs.json").write_text('{"small": [1, 2]}')
    chosen = ["--arms", "small,words", "--costs", "costs.json", "--reference", "small", "-o", "two", "--seed", "3"]
    both = pm("fit", "query", "--outcomes", "a.jsonl", *chosen)
    assert "two: 2 arms, reference arm small" in both.out
    assert json.loads((tmp_path / "two/policy.json").read_text())["origin"]["seed"] == 3


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--arms", "small"], "unpriced_arm"),
        (["--arms", ","], "unknown_arm"),
        (["--arms", "small,none"], "unknown_arm"),
        (["--reference", "none"], "unknown_arm"),
        (["--costs", "a.jsonl"], "bad_costs"),
        (["--onto", "none"], "bad_policy"),
        (["--onto", "none", "--reference", "small"], "conflicting_options"),
    ],
)
def test_fit_refuses(pm: Any, tmp_path: Path, options: list[str], code: str) -> None:
    write(tmp_path / "a.jsonl", rows(60, 0))
    found = pm("fit", "query", "--outcomes", "a.jsonl", *options)
    assert (found.code, found.out) == (2, "")
    assert f"[{code}]" in found.err
    assert not (tmp_path / "policy").exists()


def test_fit_refuses_few_rows_and_rows_without_texts(pm: Any, tmp_path: Path) -> None:
    write(tmp_path / "few.jsonl", rows(39, 0))
    assert "[bad_outcomes]" in pm("fit", "query", "--outcomes", "few.jsonl").err
    write(tmp_path / "silent.jsonl", [{**row, "prompt": None} for row in rows(60, 0)])
    assert "[no_texts]" in pm("fit", "query", "--outcomes", "silent.jsonl").err


def test_calibrate_certifies(pm: Any, fitted: Any, tmp_path: Path) -> None:
    found = pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--quality", "0.93", "--most-novel", "0.95")
    assert found.code == 0
    assert "promise: right answers: at least 0.93 of the share that large gets right; confidence 0.95" in found.out
    assert "certified on 500 rows: saves " in found.out
    assert " tested, in an order fixed before, " in found.out
    record = json.loads((tmp_path / "policy/certificate.json").read_text())
    assert (record["kept"], record["most_novel"], record["num_rows"]) == (0.93, 0.95, 500)
    again = pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--loss", "0.08", "--confidence", "0.9")
    assert "at least 1 of the share that large gets right, less 0.08; confidence 0.9" in again.out
    assert (tmp_path / "policy/certificate.dropped-1.json").is_file()
    known = pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--loss", "0.08", "--known-only")
    assert known.code in (0, 1)
    novelty = json.loads((tmp_path / "policy/policy.json").read_text())["decides"]["forecaster"]["novelty"]
    if known.code == 0:
        record = json.loads((tmp_path / "policy/certificate.json").read_text())
        assert record["most_novel"] == novelty["most_known"]


def test_calibrate_says_what_could_be_reached(pm: Any, fitted: Any, tmp_path: Path) -> None:
    assert pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--quality", "0.93").code == 0
    before = (tmp_path / "policy/certificate.json").read_bytes()
    found = pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--quality", "0.9935")
    assert found.code == 1
    assert "nothing that saves is certified on 500 rows, so large answers all" in found.out
    assert "best reachable on these rows: 0.9" in found.out
    assert "not promised, since it was looked for afterwards" in found.out
    assert "its former certificate stays" in found.out
    assert (tmp_path / "policy/certificate.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--outcomes", "a.jsonl"], "calibration_overlaps"),
        (["--outcomes", "kept.jsonl", "--quality", "0.99", "--loss", "0.01"], "conflicting_options"),
        (["--outcomes", "kept.jsonl", "--known-only", "--most-novel", "0.5"], "conflicting_options"),
        (["--outcomes", "kept.jsonl", "--quality", "1.5"], "bad_promise"),
        (["--outcomes", "few.jsonl"], "too_few_rows"),
        (["--outcomes", "pair.jsonl"], "unknown_arm"),
        (["--outcomes", "none.jsonl"], "bad_outcomes"),
    ],
)
def test_calibrate_refuses(pm: Any, fitted: Any, tmp_path: Path, options: list[str], code: str) -> None:
    write(tmp_path / "few.jsonl", rows(60, 2))
    write(tmp_path / "pair.jsonl", rows(60, 2), "small", "words")
    found = pm("calibrate", "query", "policy", *options)
    assert (found.code, found.out) == (2, "")
    assert f"[{code}]" in found.err
    assert not (tmp_path / "policy/certificate.json").exists()


def test_explain_a_request(pm: Any, fitted: Any, tmp_path: Path) -> None:
    alone = pm("explain", "policy", "3 + 4 + 5")
    assert alone.code == 0
    assert alone.out.startswith("large [reference_without_certificate]: without a certificate the reference arm, large")
    for told in ("  share of signs", "direction 1 at ", "novelty: ", "estimated from the text's length; off by "):
        assert told in alone.out
    assert "certificate: none" in alone.out
    assert pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--quality", "0.93").code == 0
    (tmp_path / "request.txt").write_text("12 + 340 + 56")
    certified = pm("explain", "policy", "@request.txt", "--quality", "0.9")
    assert "[certified]" in certified.out
    assert "certificate: right answers: at least 0.93 of the share that large gets right" in certified.out
    above = pm("explain", "policy", "-", "--quality", "0.999", stdin=b"1 + 2")
    assert "[reference_above_certificate]: 99.9% of the quality is asked for, 93.0% is certified" in above.out


def test_explain_as_json(pm: Any, fitted: Any) -> None:
    sums = json.loads(pm("explain", "policy", "13 + 4 + 500", "--price", "0.00001", "--json").out)
    words = json.loads(pm("explain", "policy", "pearl, ocean, noble, maple", "--price", "0.00001", "--json").out)
    assert (sums["arm"], words["arm"]) == ("small", "words")
    assert sums["reason"] == "worth_its_price"
    assert [each["arm"] for each in sums["arms"]] == ["large", "small", "words"]
    assert all(0 <= each["low"] <= each["high"] <= 1 for each in sums["arms"])
    assert sums["prompt_tokens_estimated"] == pytest.approx([7, 7, 7], abs=1)
    assert max(sums["prompt_tokens_error"]) < 0.1
    assert sums["certificate"] is None
    cheap = json.loads(pm("explain", "policy", "pearl, ocean", "--max-cost", "0.0000008", "--json").out)
    assert cheap["reason"] == "within_max_cost"
    assert cheap["arm"] != "large"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["policy", " "], "no_request"),
        (["policy", "@latin.txt"], "not_text"),
        (["policy", "@none.txt"], "io_error"),
        (["policy", "1", "--quality", "0.9", "--price", "1"], "invalid_parameter"),
        (["policy", "1", "--quality", "0"], "invalid_parameter"),
        (["policy", "1", "--max-cost", "1e-13"], "max_cost_too_low"),
        (["none", "1"], "bad_policy"),
    ],
)
def test_explain_refuses(pm: Any, fitted: Any, tmp_path: Path, arguments: list[str], code: str) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    found = pm("explain", *arguments)
    assert (found.code, found.out) == (2, "")
    assert f"[{code}]" in found.err


def test_a_new_arm_joins(pm: Any, tmp_path: Path) -> None:
    write(tmp_path / "two.jsonl", rows(240, 0), "small", "large")
    write(tmp_path / "new.jsonl", rows(40, 5), "words")
    write(tmp_path / "nine.jsonl", rows(9, 6), "words")
    write(tmp_path / "kept.jsonl", rows(500, 1))
    assert pm("fit", "query", "--outcomes", "two.jsonl", "-o", "policy").code == 0
    found = pm("fit", "query", "--onto", "policy", "--outcomes", "new.jsonl", "-o", "policy2")
    assert (found.code, found.out.splitlines()[1].split()[0]) == (0, "words")
    assert "joined: words, with 40 rows" in found.out
    assert "policy2: 3 arms, reference arm large" in found.out
    assert pm("calibrate", "query", "policy2", "--outcomes", "kept.jsonl", "--quality", "0.93").code == 0
    assert "not known" in pm("explain", "policy2", "pearl, ocean").out
    again = pm("fit", "query", "--onto", "policy2", "--outcomes", "new.jsonl", "-o", "policy3")
    assert "[arm_exists]" in again.err
    few = pm("fit", "query", "--onto", "policy", "--outcomes", "nine.jsonl", "-o", "policy3")
    assert "[bad_outcomes]" in few.err
    assert not (tmp_path / "policy3").exists()


def moving(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, of models that cost bytes and no money."""
    for row in found:
        for outcome in row["outcomes"].values():
            outcome["moved_bytes"] = outcome.pop("cost_usd") * 1e12
    return found


def test_a_policy_may_save_bytes_and_count_what_is_taken(pm: Any, tmp_path: Path) -> None:
    fit, kept = moving(rows(200, 0)), moving(rows(200, 1))
    for number, row in enumerate(kept):
        if number % 4 == 0:
            row["taken"] = {"by": "program/add", "correct": 1, "moved_bytes": 0}
    write(tmp_path / "a.jsonl", fit)
    write(tmp_path / "kept.jsonl", kept)
    assert pm("fit", "query", "--outcomes", "a.jsonl").code == 2, "there is no price in money"
    done = pm("fit", "query", "--outcomes", "a.jsonl", "--cost", "moved_bytes", "-o", "policy")
    assert (done.code, "bytes moved per 1,000 requests" in done.out) == (0, True), done.err
    done = pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--quality", "0.8")
    assert done.code == 0, done.err
    assert "of these 50 were taken ahead of the arms" in done.out
    assert "bytes moved, caution" in done.out
    certificate = json.loads((tmp_path / "policy" / "certificate.json").read_text())
    assert certificate["num_taken"] == 50
    assert "bytes moved" in pm("explain", "policy", "1 + 2 + 3").out


def test_a_cost_that_no_policy_saves(pm: Any, tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", rows(60, 0))
    done = pm("fit", "query", "--outcomes", "a.jsonl", "--cost", "seconds")
    assert (done.code, "expected nano_usd or moved_bytes" in done.err) == (2, True)
    done = pm("fit", "query", "--outcomes", "a.jsonl", "--cost", "moved_bytes", "--onto", "policy")
    assert (done.code, "conflicting_options" in done.err) == (2, True)


def test_collecting_says_what_is_wrong(pm: Any, tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"id": "a", "prompt": "2 + 2?", "answer": "4"}\n')
    nowhere = ("collect", "r.jsonl", "--url", "http://127.0.0.1:9/v1")
    cases = [
        ([*nowhere, "--arms", "small"], "upstream_unreachable"),
        ([*nowhere, "--arms", "small?speed=9"], "invalid_arm"),
        ([*nowhere, "--arms", ","], "unknown_arm"),
        ([*nowhere, "--arms", "small", "--skip-taken"], "conflicting_options"),
        ([*nowhere, "--arms", "small", "--api-key-env", "NOT_THERE"], "no_api_key"),
        (["collect", "none.jsonl", "--arms", "small"], "bad_requests"),
    ]
    for command, code in cases:
        done = pm(*command)
        assert (done.code, f"[{code}]" in done.err) == (2, True), done.err


def voted_rows(num_rows: int, seed: int) -> list[dict[str, Any]]:
    """Who is right cannot be told from a text; votes of the small arm agree mostly where they are."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(num_rows):
        easy = bool(rng.random() < 0.6)
        agrees = easy if rng.random() < 0.98 else rng.random() < 0.5
        asked = 2 if agrees else 3
        right = {"small": easy, "small?n=3": easy, "large": rng.random() < 0.95}
        usd = {"small": 1e-6, "small?n=3": asked * 1e-6, "large": 3e-5}
        outcomes: dict[str, Any] = {arm: {"correct": int(right[arm]), "cost_usd": usd[arm]} for arm in right}
        outcomes["small?n=3"]["agreement"] = 1.0 if agrees else 1 / 3
        found.append(
            {"id": f"{seed}-{number}", "prompt": f"{seed}: " + " ".join(rng.choice(_WORDS, 6)), "outcomes": outcomes}
        )
    return found


def test_looks_are_fitted_certified_and_explained(pm: Any, tmp_path: Path) -> None:
    write(tmp_path / "fitted.jsonl", voted_rows(300, 0))
    kept = voted_rows(500, 1)
    write(tmp_path / "kept.jsonl", kept)
    fitted = pm("fit", "query", "--outcomes", "fitted.jsonl", "-o", "policy")
    assert "sequences: it pays to look first at small?n=3" in fitted.out
    assert re.search(r"held out: -?[0-9.]+% of the gap closed, [5-9][0-9.]+% with sequences, from", fitted.out)
    certified = pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--loss", "0.03")
    assert certified.code == 0
    assert "looks first where that is worth it" in certified.out
    known = str(voted_rows(1, 0)[0]["prompt"])
    told = pm("explain", "policy", known)
    assert told.out.startswith("small?n=3 [certified]: small?n=3 first; where its votes agree (")
    assert "\nsequence: right 0." in told.out
    found = json.loads(pm("explain", "policy", known, "--json").out)
    assert (found["sequence"]["first"], found["sequence"]["if_differ"]) == (["small?n=3"], "large")
    assert found["sequence"]["quote"]["arm"] == "sequence/small?n=3"
    assert found["certificate"]["setting"]["looks"] is True
    for row in kept[:7]:
        del row["outcomes"]["small?n=3"]["agreement"]
    write(tmp_path / "untold.jsonl", kept)
    untold = pm("calibrate", "query", "policy", "--outcomes", "untold.jsonl", "--loss", "0.03")
    assert "sequences: left out, since 7 of 500 rows do not tell whether answers agree" in untold.out


def sampled_rows(num_rows: int, seed: int) -> list[dict[str, Any]]:
    """Three samples of the small arm, mostly the same answer where it is right."""
    rng = np.random.default_rng(seed)
    found = []
    for row in voted_rows(num_rows, seed):
        del row["outcomes"]["small?n=3"]
        small = row["outcomes"]["small"]
        answers = ["7"] * 3 if small["correct"] else [str(answer) for answer in rng.permutation(3)]
        small["samples"] = [[float(answer == "7"), 5, answer] for answer in answers]
        found.append(row)
    return found


def test_samples_of_a_table_vote(pm: Any, tmp_path: Path) -> None:
    write(tmp_path / "fitted.jsonl", sampled_rows(300, 0))
    write(tmp_path / "kept.jsonl", sampled_rows(500, 1))
    fitted = pm("fit", "query", "--outcomes", "fitted.jsonl", "--votes", "3", "-o", "policy")
    assert "sequences: it pays to look first at small?n=3" in fitted.out
    assert "small?n=3" in (tmp_path / "policy" / "policy.json").read_text()
    certified = pm("calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--loss", "0.03")
    assert certified.code == 0
    assert "looks first where that is worth it" in certified.out
    refused = pm("fit", "query", "--outcomes", "fitted.jsonl", "--votes", "4", "-o", "policy")
    assert (refused.code, "no arm has 4 samples" in refused.err) == (2, True)
    both = pm("fit", "query", "--outcomes", "fitted.jsonl", "--votes", "3", "--onto", "policy")
    assert "[conflicting_options]" in both.err


@pytest.fixture
def embedded(pm: Any, tmp_path: Path, write_embedding: Any) -> Path:
    """`policy`, fitted with the embedding `e`, which knows numbers from words, and `kept.jsonl`."""
    vectors = {word: [1.0, 0.1 * number] for number, word in enumerate(_WORDS)}
    write_embedding(tmp_path / "e", vectors | {str(number): [-1.0, 0.5] for number in range(1000)})
    write(tmp_path / "a.jsonl", rows(240, 0))
    write(tmp_path / "kept.jsonl", rows(500, 1))
    found = pm("fit", "query", "--outcomes", "a.jsonl", "--embedding", "e", "-o", "policy")
    assert found.code == 0
    assert ", with 2 dimensions of the embedding e; not certified yet" in found.out
    return tmp_path / "policy"


def test_a_policy_finds_its_embedding_and_is_told_where_it_has_moved(pm: Any, embedded: Path, tmp_path: Path) -> None:
    assert json.loads((embedded / "policy.json").read_text())["embedding_folder"] == "e"
    asked = "explain", "policy", "13 + 4 + 500", "--price", "0.00001", "--json"
    first = pm(*asked)
    assert json.loads(first.out)["arm"] == "small"
    (tmp_path / "e").rename(tmp_path / "moved")
    calibrate = "calibrate", "query", "policy", "--outcomes", "kept.jsonl", "--quality", "0.93"
    write(tmp_path / "new.jsonl", [{**row, "id": f"n{row['id']}"} for row in renamed(rows(40, 5))], "fresh")
    join = "fit", "query", "--onto", "policy", "--outcomes", "new.jsonl", "-o", "policy2"
    serve = "serve", "--policy", "policy"
    for command in (asked, calibrate, join, serve):
        found = pm(*command)
        assert (found.code, found.out) == (2, "")
        assert "[no_embedding]" in found.err
        assert "learned with the embedding in 'e', and there is no such folder" in found.err
    assert pm(*asked, "--embedding", "moved").out == first.out
    assert pm(*calibrate, "--embedding", "moved").code == 0
    assert pm(*join, "--embedding", "moved").code == 0
    assert json.loads((tmp_path / "policy2/policy.json").read_text())["embedding_folder"] == "moved"
    assert pm("explain", "policy2", "13 + 4 + 500").code == 0
    served = _stored_policy(embedded, tmp_path / "moved")
    choice = served.decide("13 + 4 + 500", np.array(json.loads(first.out)["prompt_tokens_estimated"]), Wish(price=1e4))
    assert [each.right for each in choice.quotes] == [each["right"] for each in json.loads(first.out)["arms"]]


def renamed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With the arm `words` under the name `fresh`."""
    return [{**row, "outcomes": {"fresh": row["outcomes"]["words"]}} for row in found]


def test_another_embedding_and_none_are_refused(pm: Any, embedded: Path, tmp_path: Path, write_embedding: Any) -> None:
    write_embedding(tmp_path / "other", {"amber": [1.0, 2.0]})
    write_embedding(tmp_path / "broken", {"amber": [1.0, 2.0]})
    (tmp_path / "broken/model.safetensors").unlink()
    assert pm("fit", "query", "--outcomes", "a.jsonl", "-o", "plain").code == 0
    commands = ("explain", "policy", "1"), ("calibrate", "query", "policy", "--outcomes", "kept.jsonl")
    for command in (*commands, ("serve", "--policy", "policy")):
        for folder, code in (("other", "other_embedding"), ("none", "no_embedding"), ("broken", "bad_embedding")):
            assert f"[{code}]" in pm(*command, "--embedding", folder).err
    told = pm("explain", "plain", "1", "--embedding", "e").err
    assert "[other_embedding]" in told
    assert "has learned without an embedding" in told
    fit = "fit", "query", "--outcomes", "a.jsonl", "-o", "new", "--embedding"
    for folder, code in (("none", "no_embedding"), ("broken", "bad_embedding")):
        assert f"[{code}]" in pm(*fit, folder).err
    assert not (tmp_path / "new").exists()


def test_where_a_server_finds_the_embedding(pm: Any, tmp_path: Path) -> None:
    (tmp_path / "policy").mkdir()
    shown = json.loads(pm("serve", "--policy", "policy", "--embedding", "e", "--print-config").out)
    assert (shown["routing"]["embedding"], shown["origins"]["policy.embedding"]) == ("e", "flag")
    (tmp_path / "pointsman.toml").write_text('[policy]\nfolder = "policy"\nembedding = "f"\n')
    shown = json.loads(pm("serve", "--print-config").out)
    assert (shown["routing"]["embedding"], shown["origins"]["policy.embedding"]) == ("f", "pointsman.toml")
    (tmp_path / "pointsman.toml").unlink()
    assert "policy.embedding is set without policy.folder" in pm("serve", "--embedding", "e").err
