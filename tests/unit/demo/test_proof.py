"""What the demo counts of replies, from replies that are made here."""

from typing import Any

import pytest
from openai.types.chat import ChatCompletion

from pointsman.core import InternalError
from pointsman.demo.learning import table_of
from pointsman.demo.proof import Reply, compared, level_of, reply_of
from pointsman.embedded.traffic import Asked, draw_traffic

ASKED = Asked("What is 2 + 2?", "problem", "arithmetic", ("4",))


def completion(text: str, **note: Any) -> ChatCompletion:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    made = {"id": "a", "object": "chat.completion", "created": 0, "model": "auto", "choices": [choice]}
    return ChatCompletion.model_validate({**made, **({"pointsman": note} if note else {})})


@pytest.mark.parametrize(
    ("arm", "level"),
    [
        ("program/gcd", "program"),
        ("memory", "memory"),
        ("parts", "parts"),
        ("embedded/pair?mode=steps", "token"),
        ("embedded/large?budget=0.6", "unit"),
        ("embedded/large?mode=steps", "query"),
    ],
)
def test_the_level_is_that_of_who_answered(arm: str, level: str) -> None:
    assert level_of(arm) == level


def test_a_reply_counts_what_was_billed_and_what_was_looked_at() -> None:
    cost = {"prompt_tokens": 3, "completion_tokens": 1, "nano_usd": 0, "moved_bytes": 10, "seconds": 0.1}
    reply = completion("so => 4", arm="program/add", cost=cost, billed=cost, missed={**cost, "moved_bytes": 5})
    assert reply_of(reply, ASKED) == Reply("program", True, 15)
    assert reply_of(completion("5", arm="model/m", cost=cost), ASKED) == Reply("query", False, 10)
    with pytest.raises(InternalError, match="no field"):
        reply_of(completion("4"), ASKED)


def test_both_ways_are_compared() -> None:
    ours = [Reply("program", True, 0), Reply("token", True, 10), Reply("query", False, 20)] * 20
    theirs = [Reply("query", False, 100), Reply("query", True, 100), Reply("query", True, 100)] * 20
    found = compared(ours, theirs, 1.0)
    assert (found.quality[0], found.cost[0], found.kept, found.num_requests) == (1.0, 0.1, 0.5, 60)
    assert found.quality[1] < 1 < found.quality[2]
    assert found.cost[1] < 0.1 < found.cost[2]


def test_nothing_that_is_served_was_learned_or_certified() -> None:
    fit, kept = ({one.prompt for one in table_of(part)} for part in ("fit", "calibration"))
    served = {asked.text for asked in draw_traffic(1_000, "test", 0)}
    assert (len(fit), len(kept)) == (600, 1_200)
    assert not fit & kept
    assert not served & (fit | kept)
