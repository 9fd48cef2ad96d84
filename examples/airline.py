"""Rules for passengers who write in: exact ones on the ticket, and four that only a reader of the message can tell."""

from dataclasses import dataclass

from pointsman import choose, extract, judge


@dataclass(frozen=True)
class Ticket:
    """What the booking system knows."""

    fare: str
    price_cents: int
    hours_to_departure: int
    hours_since_booking: int
    checked_in: bool
    num_changes: int
    status: str


def assist(message: str, ticket: Ticket) -> str:
    """Give help with a flight; the first rule that applies wins.

    >>> from pointsman import answering
    >>> from pointsman.program.recorded import RecordedAnswers
    >>> answers = {
    ...     "what the passenger wants": "cancel",
    ...     "the airline cancelled or moved the flight": False,
    ...     "the passenger or a relative is ill or has died": True,
    ...     "how many days later the passenger wants to fly": None,
    ... }
    >>> with answering(RecordedAnswers(answers)):
    ...     assist("My mother is in hospital, I cannot fly.", Ticket("basic", 9_000, 70, 400, False, 0, "none"))
    'refund after a certificate'
    """
    wish = choose("what the passenger wants", ("cancel", "change", "complain", "something else"), message)
    moved = judge("the airline cancelled or moved the flight", message)
    illness = judge("the passenger or a relative is ill or has died", message)
    days = extract(int, "how many days later the passenger wants to fly", message)

    if ticket.price_cents < 0 or ticket.num_changes < 0:
        raise ValueError("the ticket has a negative price or number of changes")
    if ticket.hours_to_departure < -720:
        return "claim is too late"
    if wish == "something else":
        return "to a person"
    if wish == "complain":
        if ticket.status == "gold":
            return "to a person, today"
        if ticket.hours_to_departure < 0 and moved:
            return "compensation form"
        return "to a person"
    if ticket.hours_to_departure < 0:
        if ticket.checked_in:
            return "flown: no refund"
        if moved:
            return "refund in full"
        return "refund of taxes" if ticket.price_cents >= 2_000 else "no-show: no refund"
    if moved and wish == "cancel":
        return "refund in full"
    if moved:
        return "change free of charge"
    if ticket.hours_since_booking <= 24 and ticket.hours_to_departure >= 168:
        return "refund in full" if wish == "cancel" else "change free of charge"
    if wish == "cancel":
        if ticket.fare == "flex":
            return "refund in full"
        if illness:
            return "refund after a certificate"
        if ticket.fare == "standard" and ticket.hours_to_departure >= 48:
            return "voucher minus fee" if ticket.status == "none" else "voucher"
        if ticket.price_cents < 2_000:
            return "no refund"
        return "refund of taxes"
    if ticket.checked_in and ticket.hours_to_departure < 2:
        return "too late to change"
    if ticket.fare == "flex" or ticket.status == "gold":
        return "change free of charge"
    if days is None:
        return "ask for the new date"
    if days < 0 or days > 330:
        return "no such flight"
    if illness and days <= 90:
        return "change free of charge"
    if ticket.fare == "basic" and ticket.num_changes >= 1:
        return "no further change"
    if days <= 1 and ticket.hours_to_departure >= 24:
        return "change for 25"
    if ticket.num_changes >= 3:
        return "no further change"
    return "change for 50 and the difference" if ticket.fare == "standard" else "change for 90 and the difference"
