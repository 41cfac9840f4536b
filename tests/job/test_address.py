"""Addresses as they may be shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.job.address import redacted, shown
from engine.job.outcome import Outcome
from engine.job.stage import StageEnd


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("/in/a?b=c.jpg", "/in/a?b=c.jpg"),
        ("file:///in/a%FF.jpg", "file:///in/a%FF.jpg"),
        ("https://h/a.jpg", "https://h/a.jpg"),
        ("https://h:8/a%20b.jpg?X-Amz-Signature=4711&t=1", "https://h:8/a%20b.jpg?..."),
        ("HTTP://user:word@h/a.jpg#part", "HTTP://h/a.jpg?..."),
        ("https://token@h/a@b.jpg", "https://h/a@b.jpg"),
        ("https://h?x=1", "https://h?..."),
        (f"https://h/hook/{'0a' * 32}", "https://h/hook/..."),
        (f"https://h/{'0a' * 32}.jpg", f"https://h/{'0a' * 32}.jpg"),
        ("https://h/o'brien/a.jpg?sig=4711", "https://h/o'brien/a.jpg?..."),
        ("https://h/a.jpg?n=o'brien&sig=4711", "https://h/a.jpg?..."),
        ("https://h/my photo.jpg?sig=4711", "https://h/my photo.jpg?..."),
        ('https://h/a"b<c>\\d.jpg?sig=4711', 'https://h/a"b<c>\\d.jpg?...'),
        ("https://u:p'w x@y@h/a.jpg", "https://h/a.jpg"),
        ("https://u:p#w@h/a.jpg", "https://?..."),
    ],
)
def test_an_input_is_shown_without_what_opens_it(text: str, public: str):
    """Paths stay as they are; of an address user, password, query and fragment go."""
    assert shown(text) == public


def test_every_address_in_a_sentence_is_cut():
    """Messages come from anywhere."""
    text = 'at "https://a.example/x?s=1" and <http://u:p@b.example/y?s=2>, again https://c.example'
    assert redacted(text) == 'at "https://a.example/x?..." and <http://b.example/y?...>, again https://c.example'


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("at https://h/o'brien/my%20photo.jpg?sig=4711", "at https://h/o'brien/my%20photo.jpg?..."),
        ("https://u:it's4711@h/a", "https://h/a"),
        ("https://h/x'?sig=4711", "https://h/x'?..."),
        ("https://h/?a='4711'&b='4712'", "https://h/?...'"),
        ("'https://a','https://u:4711@b/x', 'https://c?sig=4711'.", "'https://a','https://b/x', 'https://c?...'."),
    ],
)
def test_an_apostrophe_is_part_of_an_address_where_more_of_it_follows(text: str, public: str):
    """Otherwise it ends one that is quoted."""
    assert redacted(text) == public


@given(st.text(alphabet="hx'\" /<>:@.", max_size=20), st.text(alphabet="secret123", min_size=6))
def test_no_query_of_an_input_gets_through(path: str, secret: str):
    """Whatever its path is made of."""
    source = f"https://{path}?{secret}"
    assert secret not in shown(source)
    assert secret not in redacted(f"can't fetch {source}: it is gone", source)


@given(st.text(), st.text(alphabet="secret123", min_size=6))
def test_no_query_gets_through(text: str, secret: str):
    """Whatever stands around it."""
    assert f"?{secret}" not in redacted(f"{text} https://h/x?{secret}")


def test_neither_results_nor_journal_hold_what_opens_an_input():
    """Rows name the input; the plan alone keeps the whole address."""
    outcome = Outcome(number=1, source="https://u:p@h/a.jpg?sig=4711", reason="https://h/a.jpg?sig=4711 is gone")
    assert outcome.members()["source"] == "https://h/a.jpg?..."
    assert "4711" not in str(outcome.record())


def test_what_the_backend_says_of_a_job_is_cut_like_all_else():
    """Its warnings, those of the first stage, and a reason that repeats the input as it was given."""
    warning, source = "see https://h/help?sig=4711", "https://h/my photo.jpg?sig=4711"
    stage = StageEnd(warnings=(warning,))
    outcome = Outcome(number=1, source=source, reason=f"{source} is gone", warnings=(warning,), stages=(stage, stage))
    assert "4711" not in str(outcome.record())
    assert outcome.record()["warnings"] == ["see https://h/help?..."]
