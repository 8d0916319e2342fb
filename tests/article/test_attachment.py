"""Markup comes back around the words of a translation, or is reported; nothing is invented."""

import html
import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.attachment import Attached, attach
from service.article.document import Sentence
from service.article.formats.html import escape_html, parse_html


def sentence(source: str) -> Sentence:
    [found] = parse_html(source).sentences()
    return found


def attached(source: str, target: str, renderings: Mapping[str, str] | None = None) -> Attached:
    return attach(sentence(source), target, escape_html, renderings or {})


@pytest.mark.parametrize(
    ("source", "target", "form"),
    [
        (
            "Premier <b>Schoof</b> zei dat.",
            "Prime Minister Schoof said that.",
            "Prime Minister <b>Schoof</b> said that.",
        ),
        (
            "Er waren <a href='/x'>12.500</a> mensen.",
            "There were 12,500 people.",
            "There were <a href='/x'>12,500</a> people.",
        ),
        ("Het kost <b>3,5</b> euro.", "It costs 3.5 euros.", "It costs <b>3.5</b> euros."),
        (
            "De film <i>„Turks Fruit”</i> draait.",
            'The film "Turks Fruit" is on.',
            'The film <i>"Turks Fruit"</i> is on.',
        ),
        (
            "<b>Ajax </b>won.",
            "The winner was Ajax.",
            "The winner was <b>Ajax</b>.",
        ),
        (
            "De <i>R&amp;D</i> van <b>Philips</b>.",
            "Philips's R&D.",
            "<b>Philips</b>'s <i>R&amp;D</i>.",
        ),
    ],
)
def test_names_and_numbers_get_their_markup_back(source: str, target: str, form: str) -> None:
    assert attached(source, target) == Attached(form)


def test_code_is_found_as_the_model_saw_it_and_stays_as_it_was_written() -> None:
    code = "<code>zeg  “ja”\u200b…</code>"
    target = 'Now type zeg "ja"... here.'
    assert attached(f"Typ nu {code} hier.", target) == Attached(f"Now type {code} here.")


def test_words_are_found_by_their_own_translation() -> None:
    source = "Het <a href='/k'>nieuwe kabinet</a> viel."
    target = "The new cabinet fell."
    first = attached(source, target)
    assert first == Attached(target, dropped=("<a href='/k'>",), unmatched=("nieuwe kabinet",))
    second = attached(source, target, {"nieuwe kabinet": "New cabinet."})
    assert second == Attached("The <a href='/k'>new cabinet</a> fell.")


def test_a_rendering_may_have_an_article_that_the_sentence_has_not() -> None:
    source = "Zij zag <b>kat</b> en hond."
    assert attached(source, "She saw cat and dog.", {"kat": "The cat"}).form == (
        "She saw <b>cat</b> and dog."
    )


def test_a_dutch_word_that_looks_english_is_not_taken_for_the_english_word() -> None:
    source = "Kaas <b>of</b> brood."
    assert attached(source, "A piece of cheese or bread.") == Attached(
        "A piece of cheese or bread.", dropped=("<b>",), unmatched=("of",)
    )
    assert attached(source, "A piece of cheese or bread.", {"of": "or"}).form == (
        "A piece of cheese <b>or</b> bread."
    )


def test_parts_of_words_do_not_count() -> None:
    assert attached("Het was <b>5</b> uur.", "It was 15 hours.").dropped == ("<b>",)
    assert attached("Met <b>Jan</b> erbij.", "With Jansen there.").dropped == ("<b>",)


def test_the_second_of_two_stays_the_second() -> None:
    source = "Jan ziet <b>Jan</b> niet."
    assert attached(source, "Jan does not see Jan.").form == "Jan does not see <b>Jan</b>."


def test_words_that_could_be_in_two_places_lose_their_markup() -> None:
    assert attached("Hij ziet <b>Jan</b>.", "Jan sees Jan.") == Attached(
        "Jan sees Jan.", dropped=("<b>",), unmatched=("Jan",)
    )


def test_markup_inside_markup_is_looked_for_inside_it() -> None:
    source = "Jan las <a href='/b'>het boek van <b>Jan</b></a> uit."
    renderings = {"het boek van Jan": "Jan's book"}
    assert attached(source, "Jan finished Jan's book.", renderings).form == (
        "Jan finished <a href='/b'><b>Jan</b>'s book</a>."
    )


def test_of_words_that_overlap_in_the_translation_only_the_first_keep_their_markup() -> None:
    source = "Naar <b>Vlaams België</b> en <i>Mooi Vlaams</i> ging hij."
    assert attached(source, "He went to Mooi Vlaams België.") == Attached(
        "He went to Mooi <b>Vlaams België</b>.", ("<i>",), (), ("Mooi Vlaams",)
    )


def test_inner_markup_stays_when_the_outer_one_is_left_out() -> None:
    assert attached("Dat zei <i>minister <b>Bruins</b> gisteren</i> al.", "Bruins said so.") == (
        Attached("<b>Bruins</b> said so.", ("<i>",), (), ("minister Bruins gisteren",))
    )


def test_letters_inside_a_word_keep_their_markup_if_the_word_is_still_there() -> None:
    source = "De CO<sub>2</sub> van 10<sup>6</sup> auto's."
    assert attached(source, "The CO2 of 106 cars.").form == (
        "The CO<sub>2</sub> of 10<sup>6</sup> cars."
    )
    assert attached(source, "The gas of cars.").dropped == ("<sub>", "<sup>")


def test_markup_around_all_words_of_other_markup_stays_around_them() -> None:
    source = "<i><b>Wat mooi</b></i> is dat."
    assert attached(source, "That is beautiful.", {"Wat mooi": "Beautiful"}).form == (
        "That is <i><b>beautiful</b></i>."
    )


@pytest.mark.parametrize(
    ("source", "target", "form"),
    [
        ("<a href=x>Lees verder</a>.", "Read on.", "<a href=x>Read on</a>."),
        ("<a href=x>Lees verder</a> …", "Read on.", "<a href=x>Read on</a>."),
        ("- <b>Lees verder.</b>", "- Read on.", "- <b>Read on.</b>"),
        ("(<b>Lees <i>verder</i></b>)", "(Read on)", "(<b>Read <i>on</i></b>)"),
    ],
)
def test_markup_around_all_words_needs_no_search(source: str, target: str, form: str) -> None:
    assert attached(source, target, {"verder": "on"}).form == form


def test_code_comes_back_as_it_was() -> None:
    source = "Typ <code class=x>ls -l &gt; a</code> in."
    assert attached(source, "Enter ls -l > a now.") == Attached(
        "Enter <code class=x>ls -l &gt; a</code> now."
    )


def test_code_that_is_not_in_the_translation_goes_to_the_end() -> None:
    source = "Typ <code>ls</code> in."
    assert attached(source, "Enter that.") == Attached(
        "Enter that. <code>ls</code>", moved=("<code>ls</code>",)
    )


def test_an_image_stays_beside_its_word() -> None:
    source = "De vlag <img src=v> van Frankrijk en <img src=w> Nederland."
    renderings = {"vlag": "flag", "Frankrijk": "France", "Nederland": "Netherlands"}
    target = "The flag of France and the Netherlands."
    assert attached(source, target, renderings).form == (
        "The flag <img src=v> of France and the <img src=w> Netherlands."
    )


def test_an_image_stays_before_the_bracket_of_its_word() -> None:
    source = "Dit land <img src=v> (Frankrijk) won."
    assert attached(source, "This one (France) won.", {"Frankrijk": "France"}).form == (
        "This one <img src=v> (France) won."
    )


def test_a_footnote_mark_stays_behind_its_word() -> None:
    source = "De begroting,<sup><a href='#1'>1</a></sup> zei Heinen<!-- x --> streng, klopt."
    target = "The budget, Heinen said, is right."
    assert attached(source, target).unmatched == ("begroting",)
    assert attached(source, target, {"begroting": "budget"}) == Attached(
        "The budget,<sup><a href='#1'>1</a></sup> Heinen<!-- x --> said, is right."
    )


def test_an_image_whose_place_is_unknown_goes_to_the_end() -> None:
    source = "De vlag <img src=v> wappert."
    assert attached(source, "It waves.") == Attached(
        "It waves. <img src=v>", moved=("<img src=v>",), unmatched=("vlag",)
    )


def test_a_line_break_replaces_the_space_between_its_words() -> None:
    source = "Naar Parijs<br>en verder."
    assert attached(source, "To Paris and on.", {"Parijs": "Paris"}).form == "To Paris<br>and on."
    assert attached(source, "And on.", {"Parijs": "Paris"}).form == "And on. <br>"


def test_a_soft_break_stays_in_its_word() -> None:
    assert attached("Het Rijks<wbr>museum.", "The Rijksmuseum.").form == "The Rijks<wbr>museum."


def test_an_empty_translation_loses_no_image_and_no_code() -> None:
    source = "Typ <code>ls</code> <b>hier</b> in <img src=x> nu."
    assert attached(source, "") == Attached(
        "<code>ls</code> <img src=x>",
        ("<b>",),
        ("<code>ls</code>", "<img src=x>"),
        ("hier", "in"),
    )


def test_stray_markup_is_reported() -> None:
    assert attached("<p>Een <b>zin.</p>", "A sentence.") == Attached(
        "A sentence.", dropped=("<b>",)
    )


def test_dropped_markup_leaves_the_space_between_the_sentences() -> None:
    first, _ = parse_html("Een <b>zin. </b>Nog een.").sentences()
    assert attach(first, "A sentence.", escape_html, {}).form == "A sentence. "


def test_the_rest_is_escaped() -> None:
    assert attached("<b>A</b> is klein.", "A < B & C").form == "<b>A</b> &lt; B &amp; C"


WORDS = st.sampled_from(["Jan", "5", "of", "12.500", "R&amp;D", "een", "„ja”", "Mark Rutte", "x,"])
INLINE = st.recursive(
    WORDS | st.sampled_from(["<img src=a>", "<code>a &lt;</code>", "<!-- c -->", "<wbr>"]),
    lambda inner: st.tuples(
        st.sampled_from(["b", "i", "a"]), st.lists(inner, min_size=1, max_size=3)
    ).map(lambda made: f"<{made[0]} id={made[0]}>{' '.join(made[1])}</{made[0]}>"),
    max_leaves=6,
)
SOURCES = st.lists(INLINE, min_size=1, max_size=5).map(lambda parts: f"Nu {' '.join(parts)} dan.")
TARGETS = st.lists(
    st.sampled_from(["Jan", "5", "of", "12,500", "R&D", "<b>", "ja", '"', "Mark Rutte", "now", "."])
).map(" ".join)
_TAG = re.compile(r"<!--.*?-->|</?([a-z]+)[^>]*>")


def tags(form: str) -> list[str]:
    return [tag[0] for tag in _TAG.finditer(form)]


@given(SOURCES)
def test_all_markup_is_back_where_it_was_when_nothing_changed(source: str) -> None:
    found = sentence(source)
    raw = source[found.start : found.end]
    assert attach(found, found.text, escape_html, {}) == Attached(raw)


@given(SOURCES, TARGETS, st.dictionaries(WORDS, st.sampled_from(["Jan", "now", "of"])))
def test_markup_is_nested_and_none_is_added(
    source: str, target: str, renderings: dict[str, str]
) -> None:
    made = attached(source, target, renderings)
    names: list[str] = []
    for tag in _TAG.finditer(made.form):
        if tag[0].startswith("</"):
            assert names.pop() == tag[1]
        elif tag[1] in ("a", "b", "i", "code"):
            names.append(tag[1])
    assert names == []
    dropped = [name for tag in made.dropped for name in (tag, f"</{tag[1]}>")]
    assert sorted([*tags(made.form), *dropped]) == sorted(tags(source))


@given(SOURCES, TARGETS, st.dictionaries(WORDS, st.sampled_from(["Jan", "now", "of"])))
def test_without_its_markup_the_sentence_is_the_translation(
    source: str, target: str, renderings: dict[str, str]
) -> None:
    made = attached(source, target, renderings)
    form = made.form
    for moved in made.moved:
        form = "".join(form.rsplit(moved, 1))
    text = html.unescape(_TAG.sub("", form))
    assert "".join(text.split()) == "".join(target.split())


@given(SOURCES, TARGETS)
def test_images_and_code_are_never_lost(source: str, target: str) -> None:
    form = attached(source, target).form
    for kept in ("<img src=a>", "<code>a &lt;</code>", "<!-- c -->", "<wbr>"):
        assert form.count(kept) == source.count(kept)
