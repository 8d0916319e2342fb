"""HTML is cut where the HTML standard says; an independent parser agrees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from justhtml import stream

from service.article.formats.html_tokenizer import Token, TokenKind, tokenize


def cut(html: str) -> list[tuple[TokenKind, str]]:
    return [(token.kind, html[token.start : token.end]) for token in tokenize(html)]


@pytest.mark.parametrize(
    "comment",
    ["<!-- a > b -->", "<!-->", "<!--->", "<!-- a --!>", "<!DOCTYPE html>", "<?php x ?>", "<!x>"],
)
def test_a_comment_ends_where_it_should(comment: str) -> None:
    assert cut(f"{comment}na") == [(TokenKind.COMMENT, comment), (TokenKind.TEXT, "na")]


@pytest.mark.parametrize("html", ["<!-- a", "<!DOCTYPE", "<a href='>x", "</a ", "<p", "<![CDATA[x"])
def test_what_never_ends_is_no_text(html: str) -> None:
    assert cut(html) == [(TokenKind.COMMENT, html)]


@pytest.mark.parametrize("text", ["a < b", "<", "</", "1 <2", "a<=b", "<é>"])
def test_a_lone_angle_bracket_is_text(text: str) -> None:
    assert cut(text) == [(TokenKind.TEXT, text)]


def test_attributes_are_read_in_every_notation() -> None:
    html = "<A HREF=x/y Title='a > b' alt=\"c\" b = d lang lang=en / e>"
    [token] = tokenize(html)
    assert token.text == "a"
    assert token.attributes == {
        "href": "x/y",
        "title": "a > b",
        "alt": "c",
        "b": "d",
        "lang": "",
        "e": "",
    }


@pytest.mark.parametrize("name", ["script", "style", "textarea", "iframe", "xmp", "noembed"])
def test_tags_in_scripts_and_text_fields_are_no_tags(name: str) -> None:
    html = f"<{name}>a <b> </x> & </{name}x></{name.upper()} >na"
    assert [text for _, text in cut(html)] == [
        f"<{name}>",
        f"a <b> </x> & </{name}x>",
        f"</{name.upper()} >",
        "na",
    ]


def test_a_title_is_text_without_tags() -> None:
    tokens = list(tokenize("<title>Een <b> &amp; twee</title>"))
    assert "".join(token.text for token in tokens[1:-1]) == "Een <b> & twee"


def test_a_script_may_write_a_script() -> None:
    html = "<script><!-- x <script> y </script> z --> w</script>na"
    assert [text for _, text in cut(html)] == [html[:8], html[8:-11], "</script>", "na"]


def test_the_title_of_a_drawing_ends_with_the_drawing() -> None:
    html = "<svg><title>Een</svg>na"
    assert [text for _, text in cut(html)] == ["<svg>", "<title>", "Een", "</svg>", "na"]


def test_after_a_drawing_a_title_is_an_ordinary_title() -> None:
    assert cut("<svg></svg><title/><b></title>")[3] == (TokenKind.TEXT, "<b>")


def test_a_script_in_a_drawing_is_no_text() -> None:
    html = "<svg><script>a <b> c</script></svg>"
    assert cut(html)[2] == (TokenKind.RAW, "a <b> c")


def test_a_drawing_may_have_a_title_without_end() -> None:
    html = "<svg><title/><![CDATA[ a > b ]]></svg>na"
    assert [text for _, text in cut(html)] == [
        "<svg>",
        "<title/>",
        "<![CDATA[ a > b ]]>",
        "</svg>",
        "na",
    ]


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("a&amp;b", ["a", "&", "b"]),
        ("&euml;n", ["ë", "n"]),
        ("&euml", ["ë"]),
        ("&notit;", ["¬", "it;"]),
        ("&notin;", ["∉"]),
        ("&onzin;", ["&onzin;"]),
        ("&#8364;&#x20ac;&#X20AC", ["€", "€", "€"]),
        ("&#128;", ["€"]),
        ("&#0000000000000000065;", ["A"]),
        ("&#99999999999999999999;", ["\ufffd"]),
        ("&#xd800;", ["\ufffd"]),
        ("&", ["&"]),
        ("&;&#;&#x;", ["&;&#;&#x;"]),
        ("R&D", ["R&D"]),
    ],
)
def test_character_references_are_read_one_by_one(html: str, texts: list[str]) -> None:
    assert [token.text for token in tokenize(html)] == texts


def test_a_number_of_many_digits_is_no_trouble() -> None:
    [token] = tokenize("&#" + "1" * 10_000 + ";")
    assert token.text == "\ufffd"


# Without drawings and lone quotes, where justhtml's stream is not what the standard says.
SOUP_PARTS = """
<p> </p> <b> </b> <a|href="x|y"> <a|b='>'|c=d> </i|x=">"> <br/> <br|/> <img|src=a|> <DIV> </DIV|>
<x-y> <script> </script> <style> </style> <title> </title>
<iframe> </iframe> <plaintext> <!--|x|--> <!--> <!-- --> --!> <!x> <? </ </> < > / = - ! ;
& &amp; &amp &lt; &#65; &#x41 &notit; &x; een twee |
""".split()
SOUP = st.lists(st.sampled_from(SOUP_PARTS), max_size=14).map(
    lambda parts: "".join(part.replace("|", " ") for part in parts)
)


def events(tokens: list[Token], html: str) -> list[tuple[str, object]]:
    """Tokens as an independent parser reports them; text in a row is one."""
    found: list[tuple[str, object]] = []
    for token in tokens:
        if token.kind in (TokenKind.TEXT, TokenKind.RAW):
            text = token.text if token.kind is TokenKind.TEXT else html[token.start : token.end]
            if found and found[-1][0] == "text":
                text = f"{found.pop()[1]}{text}"
            found.append(("text", text))
        elif token.kind is TokenKind.START:
            found.append(("start", (token.text, dict(token.attributes or {}))))
        elif token.kind is TokenKind.END:
            found.append(("end", token.text))
    return found


ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from("<>&#;\"'=/!-?"))


@given(SOUP | ANY_TEXT)
def test_no_character_is_lost(html: str) -> None:
    tokens = list(tokenize(html))
    assert "".join(html[token.start : token.end] for token in tokens) == html
    assert all(token.start < token.end for token in tokens)


@given(SOUP)
def test_an_independent_parser_finds_the_same(html: str) -> None:
    theirs: list[tuple[str, object]] = []
    for kind, data in stream(html):
        if kind == "text":
            if theirs and theirs[-1][0] == "text":
                data = f"{theirs.pop()[1]}{data}"
            theirs.append((kind, data))
        elif kind == "start":
            name, attributes = data
            theirs.append((kind, (name, {key: value or "" for key, value in attributes.items()})))
        elif kind == "end":
            theirs.append((kind, data))
    ours = events(list(tokenize(html)), html)
    assert ours == theirs
