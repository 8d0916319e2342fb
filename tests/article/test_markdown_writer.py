"""What a document says, in Markdown that says the same."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree, html
from markdown_it import MarkdownIt

from service.article.files.markdown import to_markdown

READER = MarkdownIt("commonmark").enable("table")


def write(fragment: str) -> str:
    return to_markdown(html.fragment_fromstring(fragment, create_parent="body"))


def words(markup: str) -> str:
    """What a reader reads, less white space."""
    return "".join(html.fromstring(f"<div>{markup}</div>").text_content().split())


@pytest.mark.parametrize(
    ("fragment", "markdown"),
    [
        ("<h1>Kop</h1><h6>Klein</h6>", "# Kop\n\n###### Klein\n"),
        ("<p>Een <b>vet</b> en <i>schuin</i> <b><i>woord</i></b>.</p>",
         "Een **vet** en *schuin* ***woord***.\n"),
        ("<p>Een <b>vet </b>woord</p>", "Een **vet** woord\n"),
        ("<p><b>a</b><b> b</b></p>", "**a b**\n"),
        ("<p><i><b>a</b>b</i></p>", "ab\n"),
        ("<p>a<b>(b)</b>c</p>", "a(b)c\n"),
        ("<p>Zie <a href='https://x.nl/a'>de <b>site</b></a>.</p>",
         "Zie [de **site**](https://x.nl/a).\n"),
        ("<p><a href='https://x.nl/a (b)'>a</a></p>", "[a](<https://x.nl/a (b)>)\n"),
        ("<p>Kijk!<a href='https://x.nl'>hier</a></p>", "Kijk\\![hier](https://x.nl)\n"),
        ("<p>een<br>- twee<br><br>drie</p>", "een\\\n\\- twee\n\ndrie\n"),
        ("<ul><li>a<ul><li>b<ol start='3'><li>c</li></ol></li></ul></li><li>d</li></ul>",
         "- a\n  - b\n\n    3. c\n- d\n"),
        ("<ol start='9'><li>a</li><li><p>b</p><p>c</p></li></ol>", "9. a\n\n10. b\n\n    c\n"),
        ("<ul><li>a</li></ul><ul><li>b</li></ul>", "- a\n\n* b\n"),
        ("<blockquote><p>a</p><blockquote>b</blockquote></blockquote>", "> a\n>\n> > b\n"),
        ("<table><tr><th>a<th>c</tr><tr><td><p>d</p><p>e</p></table>",
         "| a | c |\n| --- | --- |\n| d<br>e |  |\n"),
        ("<table><tr><td><p>In een kader.</p></td></tr></table>", "In een kader.\n"),
        ("<p>Noot<sup data-note='1'></sup>.</p><div data-note='1'><p>a</p><p>b</p></div>",
         "Noot[^1].\n\n[^1]: a\n\n    b\n"),
        ("<pre>a\n  ```b</pre>", "````\na\n  ```b\n````\n"),
        ("<p><code>a`b</code></p>", "`` a`b ``\n"),
        ("<p><img src='a b.png' alt='Een [brug]'></p>", "![Een [brug]](<a b.png>)\n"),
        ("<div>los<p>alinea</p>los</div>", "los\n\nalinea\n\nlos\n"),
        ("<p># a</p><p>1. b</p><p>- c</p><p>a * b</p><p>&lt;b&gt; &amp;amp;</p>",
         "\\# a\n\n1\\. b\n\n\\- c\n\na * b\n\n\\<b> \\&amp;\n"),
        ("<script>x</script><p> </p><ul><li></li></ul>", ""),
    ],
)  # fmt: skip
def test_elements_become_markdown(fragment: str, markdown: str) -> None:
    assert write(fragment) == markdown


TEXT = st.text(st.sampled_from("ab c.!?#*_`[]()<>&;|~-+=\\/:1\"'é \xa0"), min_size=1, max_size=12)
INLINE = st.recursive(
    TEXT.map(lambda text: etree.tostring(_element("x", text), encoding="unicode")[3:-4]),
    lambda inner: st.tuples(
        st.sampled_from(["b", "i", "a", "span"]), st.lists(inner, max_size=3)
    ).map(lambda made: f"<{made[0]} href='https://x.nl'>{''.join(made[1])}</{made[0]}>"),
    max_leaves=5,
)
BLOCKS = st.recursive(
    st.tuples(st.sampled_from(["p", "h2"]), st.lists(INLINE, max_size=3)).map(
        lambda made: f"<{made[0]}>{''.join(made[1])}</{made[0]}>"
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda b: f"<blockquote>{''.join(b)}</blockquote>"),
        st.lists(inner, max_size=3).map(
            lambda b: f"<ul>{''.join(f'<li>{block}</li>' for block in b)}</ul>"
        ),
        st.lists(inner, max_size=3).map(
            lambda b: f"<ol>{''.join(f'<li>{block}</li>' for block in b)}</ol>"
        ),
        st.lists(inner, min_size=2, max_size=4).map(
            lambda b: f"<table><tr>{''.join(f'<td>{block}</td>' for block in b)}</tr></table>"
        ),
    ),
    max_leaves=6,
)


def _element(tag: str, text: str) -> object:
    element = etree.Element(tag)
    element.text = text
    return element


@given(st.lists(BLOCKS, max_size=4).map("".join))
def test_a_reader_of_the_markdown_reads_the_words_of_the_document(fragment: str) -> None:
    assert words(READER.render(write(fragment))) == words(fragment)


@pytest.mark.parametrize(
    "fragment",
    ["<div>" * 240 + "tekst", "<p>" + "<b>" * 240 + "tekst", "<ul><li>" * 100 + "tekst",
     "<p>" + "<b>a</b>" * 20_000, "<p>" + "*" * 100_000, "<p>" + "a<br>" * 20_000,
     "<table><tr>" + "<td>a" * 20_000, "<blockquote>" * 100 + "tekst", "<ul>" + "<li>a" * 20_000],
)  # fmt: skip
def test_hostile_documents_take_a_second(fragment: str) -> None:
    start = time.process_time()
    assert write(fragment)
    assert time.process_time() - start < 2
