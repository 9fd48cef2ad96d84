from dataclasses import replace

import pytest

from pointsman.core import BadRequest, Cost, Decision
from pointsman.core.entries import COST_KINDS, Entry, Settled, cost_of

DECISION = Decision("small", "r", "v", is_audited=True)
SMALL, LARGE = Settled("small", Cost(1, 2, 3, 4, 5.0), True), Settled("large", Cost.zero(), True)
ENTRY = Entry("r", 1, "query", DECISION, "large", billed=SMALL, audit=LARGE)


def test_an_audit_refers_to_the_reference_also_where_it_answered_itself() -> None:
    assert ENTRY.referred == LARGE
    itself = replace(DECISION, arm="large")
    assert replace(ENTRY, decision=itself, billed=LARGE, audit=None).referred == LARGE
    assert replace(ENTRY, audit=None).referred is None
    assert replace(ENTRY, decision=replace(DECISION, is_audited=False)).referred is None
    assert replace(ENTRY, reference=None).referred is None


def test_a_fallback_to_the_reference_is_no_answer_of_it() -> None:
    """What was billed then is both arms."""
    assert replace(ENTRY, billed=LARGE, audit=None).referred is None


def test_each_kind_of_cost_is_found() -> None:
    assert [cost_of(Cost(1, 2, 3, 4, 5.0), kind) for kind in COST_KINDS] == [3, 1, 2, 4, 5]
    with pytest.raises(BadRequest, match="expected one of nano_usd, ") as caught:
        cost_of(Cost.zero(), "usd")
    assert caught.value.code == "unknown_cost"


@pytest.mark.parametrize("change", [{"request_id": ""}, {"level": ""}, {"time_us": -1}, {"features": (float("inf"),)}])
def test_impossible_entries_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadRequest) as caught:
        replace(ENTRY, **change)
    assert caught.value.code == "invalid_entry"
