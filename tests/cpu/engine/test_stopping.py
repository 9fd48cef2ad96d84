"""Stop strings across pieces."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.engine.stopping import StopMatcher

AB = st.text("ab", max_size=12)


@given(pieces=st.lists(AB, max_size=6), stops=st.lists(st.text("ab", min_size=1, max_size=4), max_size=3))
def test_the_text_ends_before_the_first_stop_string(pieces: list[str], stops: list[str]) -> None:
    matcher = StopMatcher(stops)
    shown = ""
    for count, piece in enumerate(pieces, 1):
        shown += matcher.push(piece)
        whole = "".join(pieces[:count])
        found = [whole.find(stop) for stop in stops if stop in whole]
        if found:
            # Found in this piece, since no piece before ended the loop; the earliest in the text counts.
            assert matcher.has_stopped
            assert shown == whole[: min(found)]
            assert matcher.push("more") == ""
            return
        assert not matcher.has_stopped
        assert whole.startswith(shown)
        held = whole[len(shown) :]
        assert held == "" or any(stop.startswith(held) for stop in stops)
    assert shown + matcher.close() == "".join(pieces)
    assert matcher.close() == ""
