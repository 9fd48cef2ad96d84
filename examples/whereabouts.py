"""Where things are after they were moved: a reader says what each sentence tells, and code keeps track."""

from pointsman import choose, extract

TELLS = (
    "ball under a cup",
    "swap of cups",
    "inside one another",
    "cup is asked for",
    "thing is asked for",
    "expression is asked for",
)


def where(request: str) -> str | None:
    """Say where something is or what it is worth; None where the story does not tell.

    >>> from pointsman import answering
    >>> from pointsman.program.recorded import RecordedAnswers
    >>> swap, asks = "Round 1 : A and B swap", "Which cup has the red ball?"
    >>> answers = {
    ...     "what the sentence tells": {"The red ball lies under A": TELLS[0], swap: TELLS[1], asks: TELLS[3]},
    ...     "the colour": "red", "the cup": "A", "the first cup": "A", "the second cup": "B",
    ... }
    >>> with answering(RecordedAnswers(answers)):
    ...     where(f"The red ball lies under A. {swap}. {asks}")
    'B'
    """
    cup_of: dict[str, str] = {}
    around: dict[str, str] = {}
    for part in request.split(". "):
        sentence = part.removesuffix(".")
        tells = choose("what the sentence tells", TELLS, sentence)
        if tells == "ball under a cup":
            cup = extract(str, "the cup", sentence)
            colour = extract(str, "the colour", sentence)
            if cup is None or colour is None:
                return None
            cup_of[colour] = cup
        elif tells == "swap of cups":
            first = extract(str, "the first cup", sentence)
            second = extract(str, "the second cup", sentence)
            if first is None or second is None:
                return None
            for colour, cup in list(cup_of.items()):
                if cup == first:
                    cup_of[colour] = second
                elif cup == second:
                    cup_of[colour] = first
        elif tells == "inside one another":
            inner = extract(str, "the inner thing", sentence)
            outer = extract(str, "the outer thing", sentence)
            if inner is None or outer is None:
                return None
            around[inner] = outer
        elif tells == "cup is asked for":
            wanted = extract(str, "the colour", sentence)
            return None if wanted is None else cup_of.get(wanted)
        elif tells == "thing is asked for":
            thing = extract(str, "the thing", sentence)
            return None if thing is None else outermost(thing, around)
        else:
            return worth(sentence)
    return None


def outermost(thing: str, around: dict[str, str]) -> str | None:
    """Follow what is around a thing, up to the last thing in the house.

    >>> outermost("key", {"key": "box", "box": "bag", "bag": "house"})
    'bag'
    """
    for _ in range(len(around)):
        outer = around.get(thing)
        if outer is None:
            return None
        if outer == "house":
            return thing
        thing = outer
    return None


def worth(sentence: str) -> str | None:
    """Reduce the expression in a sentence from the inside; words that are none of it do not matter.

    >>> worth("What is ( true and ( not false ) ) worth?")
    'true'
    """
    stack: list[str] = []
    for word in sentence.split():
        if word in ("(", "true", "false", "and", "or", "not"):
            stack.append(word)
        elif word == ")":
            right = stack.pop() == "true"
            operator = stack.pop()
            if operator == "not":
                value = not right
            else:
                left = stack.pop() == "true"
                value = left and right if operator == "and" else left or right
            stack.pop()
            stack.append("true" if value else "false")
    return stack[0] if len(stack) == 1 else None
