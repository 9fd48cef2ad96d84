"""Word problems: a reader says what each sentence tells, and everything that is computed is code."""

from pointsman import choose, extract


def how_many(request: str) -> int | None:
    """Say how many things a person has; None where the story does not tell.

    >>> from pointsman import answering
    >>> from pointsman.program.recorded import RecordedAnswers
    >>> answers = {
    ...     "what the sentence tells": {"Lena has 4 coins": "count", "How many coins does Lena have?": "question"},
    ...     "the person it is about": "Lena",
    ...     "the number": 4,
    ... }
    >>> with answering(RecordedAnswers(answers)):
    ...     how_many("Lena has 4 coins. How many coins does Lena have?")
    4
    """
    known: dict[str, int] = {}
    needs: dict[str, str] = {}
    change: dict[str, int] = {}
    asked = ""
    for part in request.split(". "):
        sentence = part.removesuffix(".")
        kind = choose("what the sentence tells", ("count", "more", "fewer", "twice", "question"), sentence)
        person = extract(str, "the person it is about", sentence)
        if person is None:
            return None
        if kind == "question":
            asked = person
            continue
        if kind == "twice":
            number = 2
        else:
            stated = extract(int, "the number", sentence)
            if stated is None:
                return None
            number = stated
        if kind == "count":
            known[person] = number
            continue
        other = extract(str, "the person compared with", sentence)
        if other is None:
            return None
        needs[person] = other
        change[person] = 0 if kind == "twice" else number if kind == "more" else -number

    chain: list[str] = []
    while asked not in known:
        if asked not in needs or len(chain) > len(needs):
            return None
        chain.append(asked)
        asked = needs[asked]
    amount = known[asked]
    for person in reversed(chain):
        amount = amount * 2 if change[person] == 0 else amount + change[person]
    return amount
