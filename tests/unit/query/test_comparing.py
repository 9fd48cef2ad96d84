"""Final answers, and when two are the same."""

import pytest

from pointsman.query.comparing import agree, final_answer


@pytest.mark.parametrize(
    ("text", "final"),
    [
        ("", ""),
        (" \n ", ""),
        ("4", "4"),
        ("2 + 2\n= 4", "4"),
        ("steps 1, 2\n-> 1,234.50\n\n", "1234.5"),
        ("it is -3.0.", "-3"),
        ("100", "100"),
        ("The answer is **Paris**.", "paris"),
        ("Ann knows Bob => Bob", "bob"),
        ("3 + 4 = 7; 7 => 12", "12"),
        ("so\n#### 1,000", "1000"),
        ("Final answer: London", "london"),
        ("thus $\\boxed{x + y}$", "x + y"),
        ("it follows =>", "it follows =>"),
        ('  "Jane   Austen". ', "jane austen"),
        ("in 3 boxes of 4", "4"),
    ],
)
def test_the_final_answer_is_a_number_or_the_last_line(text: str, final: str) -> None:
    assert final_answer(text) == final


def test_two_texts_agree_where_they_come_to_the_same() -> None:
    assert agree("2 + 2 = 4", "so it is\n4.0")
    assert agree("Jane Austen.", "jane austen")
    assert not agree("4", "5")
    assert not agree("Paris", "It is Paris")
    assert not agree("", "")
