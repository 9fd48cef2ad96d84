"""What ten small programs are for, and how people ask for them: whole requests, and some that leave something out."""

from collections.abc import Mapping
from dataclasses import dataclass

from pointsman.embedded.wording import Wording

ASK = "[What is|Find|Give me|Tell me|I need|Compute]"
PLEASE = "[Please|Now|Can you|Could you|I want you to|You should]"
FOR_ME = "[| for me| please| for me please]"
END = "[.|?|]"


@dataclass(frozen=True, slots=True)
class Asked:
    """A program that can be asked for.

    Attributes:
        summary: what it does, as its description says.
        parameters: what each parameter is, by its place in a wording; all are numbers, lists of numbers or a word.
        wording: of requests.
        partial: of requests that leave something out.
    """

    summary: str
    parameters: Mapping[str, str]
    wording: Wording
    partial: tuple[str, ...]


PROGRAMS: Mapping[str, Asked] = {
    "factorial": Asked(
        "the factorial of a number",
        {"n": "the number"},
        Wording(f"{ASK} the factorial of {{n}}{FOR_ME}{END}", f"{PLEASE} compute {{n}} factorial{FOR_ME}{END}",
                f"{PLEASE} compute the factorial of {{n}}{FOR_ME}{END}", f"factorial [of|for] {{n}}{FOR_ME}{END}",
                "How many ways are there to order {n} [books|cards|people|things]?"),
        ("What is the factorial?", "Please compute a factorial.", "factorial"),
    ),
    "fibonacci": Asked(
        "a Fibonacci number",
        {"n": "the number"},
        Wording(f"{ASK} the Fibonacci number at {{n}}{FOR_ME}{END}", f"{ASK} Fibonacci number {{n}}{END}",
                f"{PLEASE} compute Fibonacci number {{n}}{FOR_ME}{END}", f"fibonacci of {{n}}{FOR_ME}{END}"),
        ("What is the Fibonacci number?", "Give me a Fibonacci number."),
    ),
    "power": Asked(
        "a number to a power",
        {"base": "the base", "exponent": "the exponent"},
        Wording(f"{ASK} {{base}} to the [power|exponent] {{exponent}}{END}",
                f"{ASK} {{base}} to the [power|exponent] of {{exponent}}{FOR_ME}{END}",
                f"{PLEASE} raise {{base}} to the [power|exponent] {{exponent}}{FOR_ME}{END}",
                f"{ASK} {{base}} to the {{exponent}}{END}"),
        ("Raise {base} to a power.", "What is {base} to the power?", "Raise a number to the power {exponent}."),
    ),
    "gcd": Asked(
        "the greatest common divisor of two numbers",
        {"a": "the first number", "b": "the second number"},
        Wording(f"{ASK} the greatest common [divisor|factor] of {{a}} and {{b}}{FOR_ME}{END}",
                f"{PLEASE} compute the greatest common [divisor|factor] of {{a}} and {{b}}{FOR_ME}{END}",
                f"{ASK} the gcd [of|for] {{a}} and {{b}}{END}", f"gcd of {{a}} and {{b}}{FOR_ME}{END}",
                f"What is the [largest|greatest] number that divides {{a}} and {{b}}{END}"),
        ("What is the greatest common divisor of {a}?", "Find the gcd of {a}.", "What is the gcd?",
         "Tell me the greatest common factor."),
    ),
    "merge_sorted": Asked(
        "two sorted lists merged into one",
        {"a": "the first list", "b": "the second list"},
        Wording(f"{PLEASE} merge [the lists|these lists|] {{a}} [and|with] {{b}}{FOR_ME}{END}",
                f"{PLEASE} merge the sorted [lists|numbers] {{a}} [and|with] {{b}}{END}",
                f"Merge [the lists|these lists|] {{a}} [and|with] {{b}}{FOR_ME}{END}",
                f"{ASK} {{a}} and {{b}} merged into one [sorted list|list]{END}"),
        ("Please merge the lists.", "Merge {a} with another list.", "Merge the list {a}."),
    ),
    "binary_search": Asked(
        "where a number stands in a sorted list",
        {"items": "the list", "target": "the number to find"},
        Wording(f"[Where|At what place] is {{target}} in [the list|the sorted list|the numbers|] {{items}}{END}",
                f"{PLEASE} find the place of {{target}} in [the list|the sorted list|] {{items}}{FOR_ME}{END}",
                f"Find {{target}} in [the list|the sorted list|the sorted numbers] {{items}}{FOR_ME}{END}",
                f"{ASK} the place of {{target}} in {{items}}{END}"),
        ("Where is {target}?", "Find the place of {target}.", "Where is it in the list {items}?"),
    ),
    "bubble_sort": Asked(
        "a list in order",
        {"items": "the list"},
        Wording(f"{PLEASE} sort [the list|the numbers|these numbers|] {{items}}{FOR_ME}{END}",
                f"{PLEASE} put [the list|the numbers|these numbers|] {{items}} in order{END}",
                f"Sort [the list|the numbers|these numbers|] {{items}}{FOR_ME}{END}",
                f"{ASK} {{items}} in [order|sorted order]{END}"),
        ("Please sort the numbers.", "Put the list in order.", "Sort it for me."),
    ),
    "total": Asked(
        "the sum of a list",
        {"items": "the list"},
        Wording(f"{ASK} the [sum|total] of [the numbers|the list|] {{items}}{FOR_ME}{END}",
                f"{PLEASE} add up [the numbers|these numbers|] {{items}}{FOR_ME}{END}",
                f"Add up [the list|the numbers|] {{items}}{FOR_ME}{END}", f"sum of {{items}}{END}",
                f"{PLEASE} sum {{items}}{FOR_ME}{END}"),
        ("What is the sum?", "Add up the numbers.", "I need the total of the list."),
    ),
    "count": Asked(
        "how often a number occurs in a list",
        {"items": "the list", "value": "the number to count"},
        Wording(f"How [often|many times] [does|will] {{value}} [occur|stand] in [the list|] {{items}}{END}",
                f"{PLEASE} count how [often|many times] {{value}} is in [the list|] {{items}}{FOR_ME}{END}",
                f"How [often|many times] is {{value}} in [the list|the numbers|] {{items}}{END}",
                f"Count {{value}} in [the list|the numbers|] {{items}}{FOR_ME}{END}"),
        ("How often is {value} in the list?", "Count the numbers in {items}.", "How often does it occur in {items}?"),
    ),
    "is_palindrome": Asked(
        "whether a word is a palindrome",
        {"text": "the word"},
        Wording(f"Is [the word|the text|] {{text}} a palindrome{END}", "Is {text} the same [backwards|in reverse]?",
                f"[Does|Will] [the word|] {{text}} read the same [backwards|in reverse]{END}",
                f"{PLEASE} tell me whether {{text}} is a palindrome{END}",
                f"{ASK} whether {{text}} is a palindrome."),
        ("Is it a palindrome?", "Tell me whether the word is a palindrome.", "What is a palindrome?"),
    ),
}  # fmt: skip
"""By the name of the function in `examples/`."""
