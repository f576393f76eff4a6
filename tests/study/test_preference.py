"""Preferences as people type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapmerge.errors import PreferenceError
from mapmerge.preference import Preference


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give one preference"),
        ({"weights": "a=1", "knee": True}, "give one preference"),
        ({"weights": "a=1", "at_least": "b=1"}, "give one preference"),
        ({"weights": "a"}, r"--prefer 'a': expected NAME=NUMBER"),
        ({"weights": "=2"}, r"--prefer '=2': expected NAME=NUMBER"),
        ({"at_least": "a=high"}, r"--at-least 'a=high': expected NAME=NUMBER"),
        ({"weights": "a=1,a=2"}, "'a' is given twice"),
        ({"weights": ""}, r"--prefer '': expected NAME=NUMBER"),
        ({"at_least": " , "}, r"--at-least ' , ': expected NAME=NUMBER"),
    ],
)
def test_what_is_no_preference_is_refused(given, words):
    with pytest.raises(PreferenceError, match=words):
        Preference.parse(**given)


def test_an_unknown_objective_gets_a_suggestion():
    with pytest.raises(PreferenceError, match="no objective 'minst'; did you mean 'mnist'"):
        Preference.parse(weights="minst=1").require_known(["animals", "mnist"])


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True), st.floats(), min_size=1, max_size=4))
def test_what_was_written_is_read(weights):
    text = ", ".join(f"{name} = {value!r}" for name, value in weights.items())
    read = Preference.parse(at_least=text).at_least
    assert repr(read) == repr(weights)
