"""HTML becomes blocks and sentences; of the rest no character changes."""

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from justhtml import JustHTML

from service.article.attachment import Attached, attach
from service.article.document import BlockKind, Document, Format
from service.article.formats.html import escape_html, parse_html
from service.article.formats.html_tokenizer import TokenKind, tokenize

ARTICLE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset=utf-8><title>Brug dicht &mdash; Het Nieuws</title>
  <style>p > b { color: red }</style>
  <script>document.write("<p>Dit is geen tekst.</p>");</script>
</head>
<body class='a b'>
<!-- kop -->
<h1>Brug bij Vianen <em>maanden</em> dicht</h1>
<p class="intro"><strong>De brug bij Vianen gaat dicht. Dat meldt
  <a href="https://example.org/?a=1&amp;b=2">Rijkswaterstaat</a>.</strong></p>
<p>Het werk kost 12.500 euro<sup><a href="#n1">1</a></sup>, zegt <em>wethouder <a
   href='/dewit' title="Jan &gt; Piet">J. de Wit</a></em>. „Dat is &euro;&nbsp;3 per auto&rdquo;,
   aldus De Wit.<br>
Meer weten?<br>Bel 0800-8002.</p>
<figure><img src="brug.jpg" alt="De brug > het dorp"><figcaption>De brug. <small>Foto: ANP</small>
</figcaption></figure>
<ul>
  <li>Auto's rijden om<li>Fietsers <b>niet</b>
</ul>
<blockquote><p>Wij wachten al <i>tien</i> jaar.</p><cite>Buurman</cite></blockquote>
<table><tr><th>Jaar<th>Auto's<tr><td>2020<td>12.000</table>
<p>Typ <code>brug --dicht. Ja</code> in, of kijk op <span lang="en">Never mind. Really.</span></p>
<div translate="no"><p>Dit blijft <b>zo</b>. Dit ook.</p></div>
<pre>Ook
  dit.</pre>
<p id=n1>1. Zie <a href=x><img src=y></a> de   begroting<!-- welke? --> van Vianen.
<svg><text>Tekening</text></svg>
<p>https://example.org
</body></html>
"""


def blocks(html: str) -> list[tuple[BlockKind, list[str]]]:
    return [
        (block.kind, [" ".join(sentence.text.split()) for sentence in block.sentences])
        for block in parse_html(html).blocks
    ]


def texts(html: str) -> list[str]:
    return [text for _, sentences in blocks(html) for text in sentences]


def lorem(text: str) -> str:
    """A translation that has none of the words."""
    return f"Lorem < ipsum {len(text)}."


def backwards(text: str) -> str:
    """A translation of each word that is not code or English by another one."""
    words = re.compile(r"brug --dicht\. Ja|Never mind\. Really\.|(?P<word>[a-z]+)")
    return words.sub(lambda match: match[0][::-1] if match["word"] else match[0], text)


def translated(
    document: Document, translate: Callable[[str], str]
) -> tuple[Document, list[Attached]]:
    """The document in other words, with renderings of all words that need one."""
    sentences = [
        (sentence, block.kind) for block in document.blocks for sentence in block.sentences
    ]
    targets = [translate(s.text) if kind.translatable else s.text for s, kind in sentences]
    attached = []
    for (sentence, _), target in zip(sentences, targets, strict=True):
        first = attach(sentence, target, escape_html, {})
        renderings = {words: translate(words) for words in first.unmatched}
        attached.append(attach(sentence, target, escape_html, renderings))
    return document.render(targets, [one.form for one in attached]), attached


def elements(html: str) -> list[tuple[int, str, dict[str, str | None]]]:
    """Depth, name and attributes of all elements, and the comments, as a browser finds them."""

    def walk(node: object, depth: int) -> Iterator[tuple[int, str, dict[str, str | None]]]:
        name = getattr(node, "name", "")
        if name == "#comment":
            yield depth, f"<!--{getattr(node, 'data', '')}-->", {}
        elif name != "#text":
            yield depth, name, dict(getattr(node, "attrs", None) or {})
        for child in getattr(node, "children", None) or ():
            yield from walk(child, depth + 1)

    return list(walk(JustHTML(html, sanitize=False).root, 0))


def test_an_article_is_read_as_a_reader_reads_it() -> None:
    assert blocks(ARTICLE) == [
        (BlockKind.HEADING, ["Brug dicht — Het Nieuws"]),
        (BlockKind.HEADING, ["Brug bij Vianen maanden dicht"]),
        (
            BlockKind.PARAGRAPH,
            ["De brug bij Vianen gaat dicht.", "Dat meldt Rijkswaterstaat."],
        ),
        (
            BlockKind.PARAGRAPH,
            [
                "Het werk kost 12.500 euro, zegt wethouder J. de Wit.",
                "„Dat is € 3 per auto”, aldus De Wit.",
            ],
        ),
        (BlockKind.PARAGRAPH, ["Meer weten?"]),
        (BlockKind.PARAGRAPH, ["Bel 0800-8002."]),
        (BlockKind.CAPTION, ["De brug.", "Foto: ANP"]),
        (BlockKind.LIST_ITEM, ["Auto's rijden om"]),
        (BlockKind.LIST_ITEM, ["Fietsers niet"]),
        (BlockKind.QUOTE, ["Wij wachten al tien jaar."]),
        (BlockKind.QUOTE, ["Buurman"]),
        (BlockKind.TABLE_CELL, ["Jaar"]),
        (BlockKind.TABLE_CELL, ["Auto's"]),
        (BlockKind.VERBATIM, ["2020"]),
        (BlockKind.VERBATIM, ["12.000"]),
        (
            BlockKind.PARAGRAPH,
            ["Typ brug --dicht. Ja in, of kijk op Never mind. Really."],
        ),
        (BlockKind.VERBATIM, ["Dit blijft zo. Dit ook."]),
        (BlockKind.PARAGRAPH, ["1. Zie de begroting van Vianen."]),
        (BlockKind.VERBATIM, ["https://example.org"]),
    ]


def test_an_article_that_is_not_translated_keeps_its_elements_and_words() -> None:
    document = parse_html(ARTICLE)
    same, attached = translated(document, lambda text: text)
    assert elements(same.text) == elements(ARTICLE)
    assert texts(same.text) == texts(ARTICLE)
    assert not any(one.dropped or one.moved for one in attached)


def test_a_translated_article_keeps_all_elements_and_attributes() -> None:
    made, attached = translated(parse_html(ARTICLE), backwards)
    assert elements(made.text) == elements(ARTICLE)
    assert not any(one.dropped or one.moved for one in attached)
    assert "<h1>Bgur jib Vnenai <em>nednaam</em> thcid</h1>" in made.text
    assert '<a href="https://example.org/?a=1&amp;b=2">Rtaatsretawskji</a>' in made.text
    assert "<code>brug --dicht. Ja</code>" in made.text
    assert '<span lang="en">Never mind. Really.</span>' in made.text


def test_a_translation_that_has_none_of_the_words_loses_only_markup_of_sentences() -> None:
    made, attached = translated(parse_html(ARTICLE), lorem)
    assert [tag for one in attached for tag in one.dropped] == [
        "<em>",
        '<a href="https://example.org/?a=1&amp;b=2">',
        "<em>",
        "<a\n   href='/dewit' title=\"Jan &gt; Piet\">",
        "<b>",
        "<i>",
    ]
    names = [name for _, name, _ in elements(made.text)]
    lost = ["em", "a", "em", "a", "b", "i"]
    assert sorted([*names, *lost]) == sorted(name for _, name, _ in elements(ARTICLE))
    assert made.format is Format.HTML


def test_what_is_not_a_sentence_is_not_touched() -> None:
    made, _ = translated(parse_html(ARTICLE), lorem)
    for kept in (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n  <meta charset=utf-8><title>Lorem &lt;',
        '<script>document.write("<p>Dit is geen tekst.</p>");</script>',
        '<div translate="no"><p>Dit blijft <b>zo</b>. Dit ook.</p></div>\n<pre>Ook\n  dit.</pre>',
        "<svg><text>Tekening</text></svg>\n<p>https://example.org\n</body></html>\n",
    ):
        assert kept in made.text


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("Een<p>Twee<p>Drie", ["Een", "Twee", "Drie"]),
        ("<div>Een<div>Twee</div>Drie</div>", ["Een", "Twee", "Drie"]),
        ("<ul><li>Een<ul><li>Twee</ul>Drie</ul>", ["Een", "Twee", "Drie"]),
        ("<dl><dt>Een<dd>Twee</dl>", ["Een", "Twee"]),
        ("<button>Een</button><label>Twee</label>", ["Een", "Twee"]),
        ("<select><option>Een<option>Twee</select>", ["Een", "Twee"]),
        ("Een<hr>twee", ["Een", "twee"]),
        ("Een <b>woord</b> <x-y>en</x-y> <time>meer</time>", ["Een woord en meer"]),
        ("Een <span>deel<div>blok</div>rest</span> slot", ["Een", "deel", "blok", "rest", "slot"]),
        ("<a href=x><h2>Kop</h2>tekst</a>", ["Kop", "tekst"]),
        ("<p>Een <b>twee<p>drie</b> vier", ["Een twee", "drie", "vier"]),
        ("<b>Een<div>twee</b> drie</div>", ["Een", "twee", "drie"]),
        ("Een <b>zin", ["Een zin"]),
        ("<P>Een</P>twee", ["Een", "twee"]),
    ],
)
def test_block_elements_bound_sentences_and_inline_elements_do_not(
    html: str, found: list[str]
) -> None:
    assert texts(html) == found


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("Een regel<br>Nog een", ["Een regel", "Nog een"]),
        ("Een regel<br/>\n die verder gaat", ["Een regel die verder gaat"]),
        ("Een regel<br><b>die</b> verder gaat", ["Een regel die verder gaat"]),
        ("Een alinea<br><br>nog een", ["Een alinea", "nog een"]),
        ("Een alinea<br> &nbsp; <br>nog een", ["Een alinea", "nog een"]),
        ("<b>Kop<br></b>tekst", ["Kop tekst"]),
        ("Een<br>2 dingen", ["Een", "2 dingen"]),
    ],
)
def test_a_line_break_ends_a_block_unless_the_sentence_goes_on(html: str, found: list[str]) -> None:
    assert texts(html) == found
    assert len(blocks(html)) == len(found)


@pytest.mark.parametrize(
    ("html", "kind"),
    [
        ("<h3>Kop", BlockKind.HEADING),
        ("<title>Kop</title>", BlockKind.HEADING),
        ("<h2>Kop<p>Alinea", BlockKind.PARAGRAPH),
        ("<section><div>Alinea</div></section>", BlockKind.PARAGRAPH),
        ("<li><p>Punt</p></li>", BlockKind.LIST_ITEM),
        ("<blockquote><div><p>Citaat", BlockKind.QUOTE),
        ("<blockquote>x</blockquote>Alinea", BlockKind.PARAGRAPH),
        ("<table><caption>Onderschrift", BlockKind.CAPTION),
        ("<figure><figcaption><p>Onderschrift", BlockKind.CAPTION),
        ("<table><tr><td><p>Cel", BlockKind.TABLE_CELL),
        ("<table><td><ul><li>Punt", BlockKind.LIST_ITEM),
        ("<p>12.500", BlockKind.VERBATIM),
        ("<p><a href=x>https://a.nl</a>", BlockKind.VERBATIM),
        ("<p><code>ls</code>", BlockKind.VERBATIM),
        ("<p lang=en-GB>Never mind", BlockKind.VERBATIM),
        ("<p class='x notranslate'>Zo", BlockKind.VERBATIM),
        ("<p translate=no>Zo <b>dan</b>", BlockKind.VERBATIM),
        ("<div translate=no><p translate=yes>Anders", BlockKind.PARAGRAPH),
        ("<div lang=en><p lang=nl>Anders", BlockKind.PARAGRAPH),
        ("<div translate=no><p lang=nl>Zo", BlockKind.VERBATIM),
        ("<html lang=en><body lang=en><p>Anders", BlockKind.PARAGRAPH),
        ("<ul><li translate=no>Zo<li>Anders", BlockKind.LIST_ITEM),
        ("<ul><li translate=no>Zo<ul><li>Zo dan", BlockKind.VERBATIM),
        ("<span translate=no><div>Zo</span><p>Zo dan", BlockKind.VERBATIM),
    ],
)
def test_each_block_has_its_kind(html: str, kind: BlockKind) -> None:
    assert blocks(html)[-1][0] is kind


@pytest.mark.parametrize(
    "hidden",
    [
        "<script>Weg.</script>",
        "<style>Weg.</style>",
        "<template><p>Weg.</p></template>",
        "<textarea>Weg.</textarea>",
        "<svg><g><text>Weg.</text></g></svg>",
        "<math><mi>Weg</mi></math>",
        "<noscript><p>Weg.</p></noscript>",
        "<object><p>Weg.</p></object>",
        "<iframe><p>Weg.</p></iframe>",
        "<video>Weg.<video>Weg.</video></video>",
        "<pre>Weg.<b>Weg.</b></pre>",
        "<!-- Weg. -->",
        "<?weg?>",
        "<img alt=Weg.>",
        "<input value=Weg.>",
    ],
)
def test_what_is_no_text_is_in_no_sentence(hidden: str) -> None:
    for html in (f"<p>Een.</p>{hidden}<p>Twee.", f"Een {hidden} twee.", f"Een{hidden}twee."):
        assert "Weg" not in " ".join(texts(html))
        assert hidden in translated(parse_html(html), lorem)[0].text


def test_a_mark_of_a_footnote_is_no_number() -> None:
    assert texts("De begroting<sup><a href='#1'>1</a></sup> klopt.") == ["De begroting klopt."]
    assert texts("Zie NS<sup><a href='#1'>1</a></sup>.") == ["Zie NS."]
    assert texts("De begroting<a href='#1'><sup>[1]</sup></a> klopt.") == ["De begroting klopt."]
    assert texts("Dat klopt.<sup>2</sup> Nu wel.") == ["Dat klopt.", "Nu wel."]
    assert texts("Het is 3 m<sup>2</sup> groot.") == ["Het is 3 m2 groot."]


def test_an_image_parts_words_and_a_place_to_break_does_not() -> None:
    assert texts("Kijk<img src=x>hier. Naar<svg></svg>dit.") == ["Kijk hier.", "Naar dit."]
    assert texts("Het Rijks<wbr>museum<!-- x -->plein.") == ["Het Rijksmuseumplein."]


def test_a_line_without_words_among_others_is_left_as_it_is() -> None:
    assert blocks("<p>Zie:<br>https://a.nl<br>Of bel") == [
        (BlockKind.PARAGRAPH, ["Zie:"]),
        (BlockKind.VERBATIM, ["https://a.nl"]),
        (BlockKind.PARAGRAPH, ["Of bel"]),
    ]


def test_text_of_markup_that_a_browser_would_close_is_kept() -> None:
    assert texts("<svg>Een tekening zonder einde") == ["Een tekening zonder einde"]


@pytest.mark.parametrize("text", ["a < b & c > d", "&amp;", "<b>x</b>", "R&D", 'zei "ja"'])
def test_words_are_escaped_so_that_they_read_the_same(text: str) -> None:
    assert parse_html(f"<p>{escape_html(text)}").blocks[0].sentences[0].text == text


SOUP_PARTS = (
    "<p>|</p>|<div>|</div>|<b>|</b>|<i>|</i>|<a href='x'>|</a>|<span>|</span>|<ul>|<li>|</ul>|<br>"
    "|<img src=x>|<!-- c -->|<code>|</code>|<code>co. De</code>|<h2>|</h2>|<table>|<td>|</table>"
    "|<script>x</script>|<svg>|</svg>|<pre>|</pre>|<sup>1</sup>|<wbr>|<span translate=no>|&amp;"
    "|&euml;|Een |zin|. |Nog |twee, |drie. | |\n|\u200b|< |<|>|&|'|\x00|</x|<title>|</title>"
    "|<p lang=en>"
)
SOUP = st.lists(st.sampled_from(SOUP_PARTS.split("|")), max_size=16).map("".join)
ANY_TEXT = st.text(st.characters(codec=None) | st.sampled_from("<>&#;\"'=/!-?"))


@given(SOUP | ANY_TEXT)
def test_no_character_is_lost(html: str) -> None:
    document = parse_html(html)
    assert "".join(document.slices()) == html
    sentences = list(document.sentences())
    assert [sentence.id for sentence in sentences] == [f"s{n + 1}" for n in range(len(sentences))]
    assert all(sentence.text.strip() == sentence.text != "" for sentence in sentences)
    assert all(block.sentences for block in document.blocks)


@given(SOUP)
def test_unchanged_words_give_the_same_elements(html: str) -> None:
    document = parse_html(html)
    same, attached = translated(document, lambda text: text)
    if not any(one.dropped for one in attached):
        assert texts(same.text) == texts(html)
        assert elements(same.text) == elements(html)


def start_tags(html: str) -> list[str]:
    return [html[x.start : x.end] for x in tokenize(html) if x.kind is TokenKind.START]


@given(SOUP)
def test_a_translation_adds_no_element(html: str) -> None:
    made, attached = translated(parse_html(html), lorem)
    before, after = start_tags(html), start_tags(made.text)
    for tag in after:
        before.remove(tag)
    kept_out = [tag for one in attached for tag in one.dropped if not tag.startswith("</")]
    assert sorted(before) == sorted(kept_out)
