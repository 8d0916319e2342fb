"""Sentences are found across inline markup, which ends up in them, between them, or is stray."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.document import Markup
from service.article.markup import Draft, Inline, InlineKind, sentences_in

_PIECE = re.compile(
    r"\[!(?P<code>[^!]*)!\]|\[/(?P<close>[a-z])\]|\[(?P<open>[a-z])\]|\[(?P<atom>[#_|])\]"
    r"|&(?P<unit>[^;]*);|[^[&]+"
)
_ATOMS = {"#": "", "_": " ", "|": "\n"}


def pieces(raw: str) -> list[Inline]:
    """Reads ``[b]`` and ``[/b]`` as tags, ``[!x!]`` as code, ``&x;`` as a text that stands for x.

    ``[#]`` is something without words, ``[_]`` parts words, ``[|]`` ends lines.
    """
    found = []
    for match in _PIECE.finditer(raw):
        span = match.span()
        if match["code"] is not None:
            found.append(Inline(InlineKind.VERBATIM, *span, match["code"]))
        elif match["open"]:
            found.append(Inline(InlineKind.OPEN, *span, match["open"]))
        elif match["close"]:
            found.append(Inline(InlineKind.CLOSE, *span, match["close"]))
        elif match["atom"]:
            found.append(Inline(InlineKind.ATOM, *span, _ATOMS[match["atom"]]))
        else:
            text = match[0] if match["unit"] is None else match["unit"]
            found.append(Inline(InlineKind.TEXT, *span, text))
    return found


def drafts(raw: str) -> list[Draft]:
    return sentences_in(raw, pieces(raw))


def cut(raw: str) -> list[str]:
    """Gap, sentence, gap, …, gap."""
    position = 0
    slices = []
    for draft in drafts(raw):
        slices += [raw[position : draft.start], raw[draft.start : draft.end]]
        position = draft.end
    return [*slices, raw[position:]]


def test_sentences_without_markup_are_those_of_the_text() -> None:
    assert cut(" Een zin. Nog een. ") == [" ", "Een zin.", " ", "Nog een.", " "]


def test_markup_inside_a_sentence_belongs_to_it() -> None:
    raw = "De [b]minister[/b] zei [a]ja[/a]. Meer niet."
    [first, second] = drafts(raw)
    assert first.text == "De minister zei ja."
    assert first.markup == (Markup(3, 11, "[b]", "[/b]"), Markup(16, 18, "[a]", "[/a]"))
    assert second.markup == ()


@pytest.mark.parametrize(
    ("raw", "slices"),
    [
        ("[b]Een zin. Nog een.[/b]", ["[b]", "Een zin.", " ", "Nog een.", "[/b]"]),
        ("[b]Een zin.[/b] Nog een.", ["[b]", "Een zin.", "[/b] ", "Nog een.", ""]),
        ("[a][b]Een zin.[/b][/a]", ["[a][b]", "Een zin.", "[/b][/a]"]),
        ("[#]Een zin.[#] Nog een.[#]", ["[#]", "Een zin.", "[#] ", "Nog een.", "[#]"]),
        ("[b][/b] Een zin.[b] [/b]", ["[b][/b] ", "Een zin.", "[b] [/b]"]),
    ],
)
def test_markup_around_whole_sentences_stays_between_them(raw: str, slices: list[str]) -> None:
    assert cut(raw) == slices
    assert not any(draft.markup or draft.stray for draft in drafts(raw))


@pytest.mark.parametrize(
    ("raw", "slices"),
    [
        ("[b]Een[/b] zin. Nog een.", ["", "[b]Een[/b] zin.", " ", "Nog een.", ""]),
        ("[a][b]Een[/b] zin.[/a]", ["[a]", "[b]Een[/b] zin.", "[/a]"]),
        ("[a]Een [b]zin.[/b][/a] Nog", ["[a]", "Een [b]zin.[/b]", "[/a] ", "Nog", ""]),
    ],
)
def test_a_sentence_takes_in_a_tag_only_with_its_partner(raw: str, slices: list[str]) -> None:
    assert cut(raw) == slices
    assert len(drafts(raw)[0].markup) == 1
    assert not any(draft.stray for draft in drafts(raw))


def test_space_between_words_and_their_tag_stays_with_the_tag() -> None:
    raw = "Een [b]zin. [/b]Nog een.[i] En[/i] meer."
    [first, second, third] = drafts(raw)
    assert (first.text, first.markup) == ("Een zin.", (Markup(4, 8, "[b]", " [/b]"),))
    assert second == Draft(16, 24, "Nog een.")
    assert (third.text, third.markup) == ("En meer.", (Markup(0, 2, "[i] ", "[/i]"),))


@pytest.mark.parametrize(
    ("raw", "stray"),
    [
        ("Een [b]zin. Nog[/b] een.", [("[b]",), ("[/b]",)]),
        ("Een [b]zin. Nog een.[/b] Slot.", [("[b]",), ("[/b]",), ()]),
        ("[b]Een zin. Nog[/b] een.", [("[b]",), ("[/b]",)]),
        ("Een [b]zin. Twee. [/b]Drie.", [("[b]",), (), ("[/b]",)]),
        ("Een [b]zin. [i]Twee. Drie.[/i][/b]", [("[b]",), ("[i]",), ("[/i]", "[/b]")]),
        ("Een [b]zin.", [("[b]",)]),
        ("Een[/b] zin.", [("[/b]",)]),
        ("Een [b]zin [i]met[/b] fout[/i] erin.", [("[i]", "[/i]")]),
    ],
)
def test_markup_that_is_not_inside_one_sentence_is_stray(
    raw: str, stray: list[tuple[str, ...]]
) -> None:
    assert [draft.stray for draft in drafts(raw)] == stray


def test_a_stray_tag_does_not_take_away_the_space_between_sentences() -> None:
    assert cut("Een [b]zin. Twee. [/b]Drie.")[2::2] == [" ", " ", ""]
    assert cut("Een zin.[b] Twee. Drie[/b] uur.")[2::2] == [" ", " ", ""]


def test_no_sentence_ends_inside_code() -> None:
    raw = "Gebruik [!a. B!] dan. Klaar."
    [first, second] = drafts(raw)
    assert first.text == "Gebruik a. B dan."
    assert first.markup == (Markup(8, 12, "", verbatim="[!a. B!]"),)
    assert second.text == "Klaar."


def test_a_reader_sees_what_an_entity_stands_for() -> None:
    raw = "Jan &&; Piet. &É;én ding."
    [first, second] = drafts(raw)
    assert (first.text, second.text) == ("Jan & Piet.", "Één ding.")
    assert raw[second.start : second.end] == "&É;én ding."


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        ("woord[_]woord", ["woord woord"]),
        ("woord [_] woord", ["woord  woord"]),
        ("woord[_] woord", ["woord woord"]),
        ("Rijks[#]museum", ["Rijksmuseum"]),
        ("Einde.[_]Begin", ["Einde.", "Begin"]),
        ("Einde.[#]Begin", ["Einde.Begin"]),
        ("een regel[|]Nog een regel", ["een regel", "Nog een regel"]),
        ("een regel[b][|][/b]nog een regel", ["een regel", "nog een regel"]),
        ("een[b] [/b]woord", ["een woord"]),
        ("een [! !]woord", ["een woord"]),
    ],
)
def test_what_has_no_words_parts_words_only_if_it_says_so(raw: str, texts: list[str]) -> None:
    assert [draft.text for draft in drafts(raw)] == texts


def test_a_thing_without_words_that_parts_them_stands_in_place_of_the_space() -> None:
    assert drafts("woord[_]woord")[0].markup == (Markup(5, 6, "[_]"),)
    assert drafts("een [a][_][/a] woord")[0].markup == (Markup(4, 4, "[a][_][/a]"),)


def test_a_thing_at_the_end_of_markup_is_inside_or_after_it() -> None:
    assert drafts("[b]een[#][/b] woord")[0].markup[1] == Markup(3, 3, "", "[#]")
    assert drafts("[b]een[/b][#] woord")[0].markup[1] == Markup(3, 3, "[#]")


@pytest.mark.parametrize("raw", ["", " ", "[b] [/b]", "[#]", "\u200b", "[! !]"])
def test_no_sentence_without_words(raw: str) -> None:
    assert drafts(raw) == []
    assert sentences_in(raw, pieces(raw), whole=True) == []


def test_all_words_can_be_one_sentence() -> None:
    raw = " [b]Een. Twee.[/b] Drie. "
    [draft] = sentences_in(raw, pieces(raw), whole=True)
    assert (draft.text, raw[draft.start : draft.end]) == ("Een. Twee. Drie.", raw.strip())


WORDS = ["Een", "zin", "Nog ", "twee", ". ", ", ", "! ", " ", "  ", "\n", "\u200b"]
MARKS = ["[b]", "[/b]", "[i]", "[/i]", "[#]", "[_]", "[|]", "[!co de!]", "[!a. B!]"]
PARTS = st.sampled_from([*WORDS, *MARKS, "&É;", "& ;", "&x y;"])
RAWS = st.lists(PARTS, max_size=30).map("".join)


def words(content: Iterable[Inline]) -> str:
    tags = (InlineKind.OPEN, InlineKind.CLOSE)
    return "".join("".join(x.text for x in content if x.kind not in tags).split())


@given(RAWS)
def test_sentences_hold_all_words_in_order(raw: str) -> None:
    found = drafts(raw)
    text = "".join("".join(draft.text.split()) for draft in found)
    assert text.replace("\u200b", "") == words(pieces(raw)).replace("\u200b", "")
    assert all(draft.text == draft.text.strip() != "" for draft in found)


@given(RAWS)
def test_sentences_are_in_order_and_have_exact_bounds(raw: str) -> None:
    assert "".join(cut(raw)) == raw
    for draft in drafts(raw):
        inside = pieces(raw[draft.start : draft.end])
        assert words(inside).replace("\u200b", "") == "".join(draft.text.split()).replace(
            "\u200b", ""
        )


@given(RAWS)
def test_markup_is_properly_nested_inside_its_sentence(raw: str) -> None:
    for draft in drafts(raw):
        ends: list[int] = []
        for markup in draft.markup:
            assert 0 <= markup.start <= markup.end <= len(draft.text)
            while ends and ends[-1] <= markup.start:
                ends.pop()
            assert not ends or markup.end <= ends[-1] or markup.start == markup.end
            ends.append(markup.end)


@given(RAWS)
def test_each_tag_is_in_a_sentence_or_between_sentences_with_its_partner(raw: str) -> None:
    """What stands between the sentences is balanced, if the whole is."""

    def is_balanced(text: str) -> bool:
        names: list[str] = []
        for piece in pieces(text):
            if piece.kind is InlineKind.OPEN:
                names.append(piece.text)
            elif piece.kind is InlineKind.CLOSE and (not names or names.pop() != piece.text):
                return False
        return not names

    if is_balanced(raw):
        assert is_balanced("".join(cut(raw)[::2]))
    for draft in drafts(raw):
        kept = "".join(markup.opening + markup.closing for markup in draft.markup)
        inside = raw[draft.start : draft.end]
        tags = re.findall(r"\[/?[a-z]\]", inside)
        assert sorted(tags) == sorted([*re.findall(r"\[/?[a-z]\]", kept), *draft.stray])
