"""What an owner looks for first: how much, at which price, against which, how good, and whether routing is on."""

from collections.abc import Sequence
from html import escape

from pointsman.core.entries import COST_KINDS
from pointsman.query.amounts import brief, in_unit, percent
from pointsman.query.intervals import Estimate
from pointsman.query.report.collecting import Collected
from pointsman.query.report.html import moment, note

_REASONS = {
    "no_requests": "no request has an outcome yet",
    "no_choice": "no policy names a reference arm for these requests",
    "no_audits": "no audit shows what the reference arm bills",
    "no_support": "the reference arm had no chance to answer",
    "too_few": "too few audits; 30 answers are needed",
}
"""Why savings are unknown, in words; the tables have the code and its numbers."""


def strip(found: Collected) -> str:
    """The tiles."""
    tiles = (_requests(found), _billed(found), _saved(found), _quality(found), _routing(found))
    shown = "".join(
        f'<div><dt>{escape(name)}</dt><dd class="{kind}">{escape(value)}</dd><dd>{escape(more)}</dd></div>\n'
        for name, value, more, kind in tiles
    )
    return f'<dl class="strip">\n{shown}</dl>\n{_hint(found)}'


_Tile = tuple[str, str, str, str]
"""Name, value, what is to be known of it, and the class of the value."""


def _requests(found: Collected) -> _Tile:
    if found.first_us is None:
        return "Requests", "0", "this ledger is empty", "value"
    more = f"; {found.named.count:,} of them asked for a model by name" if found.named.count else ""
    return (
        "Requests",
        f"{found.num_requests:,}",
        f"{_span(moment(found.first_us), moment(found.last_us))}{more}",
        "value",
    )


def _billed(found: Collected) -> _Tile:
    total = found.savings[0]
    if total.reference is None:
        more = f"the reference arm alone: unknown, {_reason(total.unknown)}"
    else:
        more = f"the reference arm alone: {_short(total.reference.value, found.kind)} ({_ends(total.reference, found)})"
    audits = f"; audits {_short(total.audits, found.kind)} more" if total.audits else ""
    named = f"; requests by name {_short(found.named.came, found.kind)} more" if found.named.came else ""
    return "Billed", _short(total.billed, found.kind), more + audits + named, "value"


def _saved(found: Collected) -> _Tile:
    total = found.savings[0]
    if total.share is None:
        return "Saved", "unknown", _reason(total.unknown) or "the reference arm's bill may be nothing", "value"
    kind = "value bad" if total.share.high < 0 else "value"
    ends = sorted((total.share.low, total.share.high))
    return "Saved", percent(total.share.value), f"{_shares(ends)}, from {total.num_audited:,} audits", kind


def _quality(found: Collected) -> _Tile:
    audited = found.audited
    name = "Agree with the reference arm" if audited.is_agreement else "As good as the reference arm"
    share = audited.share
    if share is None:
        return "Agree with the reference arm", "unknown", "no answer was compared with the reference arm's", "value"
    return name, percent(share.value), f"{_shares((share.low, share.high))}, of {audited.count:,} audits", "value"


def _routing(found: Collected) -> _Tile:
    standing = found.standing
    if standing.off_since_us is not None:
        more = f"since {moment(standing.off_since_us)}: it was shown to do harm, and no certificate is in force"
        return "Routing", "switched off", more, "value bad"
    if not standing.num_routed:
        return "Routing", "none", "no policy decided a request", "value"
    in_force = "no certificate is in force"
    if standing.certificate is not None:
        covered = f"{standing.num_certified:,} of {standing.num_routed:,} decisions under one"
        in_force = f"certificate in force: {standing.certificate[:16]}; {covered}"
    was_off = f"; it was off for {standing.num_off:,} requests" if standing.num_off else ""
    return "Routing", "on", in_force + was_off, "value"


def _hint(found: Collected) -> str:
    """Where a report in money says nothing, since the models ran here."""
    total = found.savings[0]
    if found.kind != "nano_usd" or total.billed or found.named.came or not total.num_requests:
        return ""
    text = "Nothing was billed in USD. Models of this machine cost bytes and time: make the report with --cost"
    return note(f"{text} moved_bytes or --cost seconds.")


def _span(first: str, last: str) -> str:
    """Two times, of one day with its date once."""
    day = len("2026-01-01 ")
    return f"{first.removesuffix(' UTC')} to {last[day:] if first[:day] == last[:day] else last}"


def _reason(unknown: str | None) -> str:
    code = (unknown or "").partition(":")[0]
    return _REASONS.get(code, code)


def _short(value: float, kind: str) -> str:
    """`1.2 GB`, `0.0123 USD`, `45,000 tokens`."""
    shown, unit = brief(in_unit(value, kind)), COST_KINDS[kind]
    return f"{shown}B" if unit == "bytes" and shown[-1].isalpha() else f"{shown} {unit}"


def _ends(found: Estimate, collected: Collected) -> str:
    low, high = (brief(in_unit(item, collected.kind)) for item in (found.low, found.high))
    return f"{low} to {high}"


def _shares(ends: Sequence[float]) -> str:
    return f"95 % interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f}"
