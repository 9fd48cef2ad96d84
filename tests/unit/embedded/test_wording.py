"""Which wordings are held out, by the slow obvious twin."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pointsman.embedded.wording import _WORD, _divide

words = st.sampled_from("the a red blue ball cup".split())
wordings = st.lists(st.lists(words, min_size=1, max_size=4).map(" ".join), min_size=4, max_size=30, unique=True)


def slow(forms: list[str]) -> list[str]:
    held_out: list[str] = []
    for form in forms:
        rest = [other for other in forms if other != form and other not in held_out]
        known = {word for other in rest for word in _WORD.findall(other)}
        if len(held_out) < max(1, len(forms) // 5) and known.issuperset(_WORD.findall(form)):
            held_out.append(form)
    return held_out


@given(wordings)
def test_the_first_fifth_whose_words_occur_in_the_rest_is_held_out(forms: list[str]) -> None:
    expected = slow(forms)
    try:
        held_out, trained = _divide(forms)
    except ValueError:
        assert expected == []
        return
    assert held_out == expected
    assert trained == [form for form in forms if form not in expected]
    assert {word for form in held_out for word in re.findall(r"\w+", form)} <= set(" ".join(trained).split())
