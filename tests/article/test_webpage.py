"""The article of a web page: in, what a reader came for; out, what stands around it."""

import logging
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article import webpage
from service.article.webpage import is_page, main_text

LEAD = "De gemeente Zwolle bouwt de komende vier jaar zes nieuwe bruggen voor fietsers."
PARAGRAPHS = [
    "Volgens wethouder Jan Dijkstra is het plan nodig omdat het aantal fietsers snel groeit.",
    "Een rapport van de provincie noemt de bruggen van nu te smal voor bakfietsen en scooters.",
    "Bewoners van de wijk Assendorp zijn verdeeld: sommigen vrezen meer drukte in hun straat.",
    "Het werk is in 2030 klaar, als de gemeenteraad er in de vergadering van mei mee instemt.",
]
MENU = "".join(f'<li><a href="/r{i}">Rubriek {i} van de krant</a></li>' for i in range(60))

PAGE = f"""<!DOCTYPE html>
<html lang="nl"><head><meta charset="utf-8">
<title>Zwolle trekt 12,5 miljoen uit voor fietsbruggen | De Voorbeeldkrant</title>
<meta property="og:title" content="Zwolle trekt 12,5 miljoen uit voor fietsbruggen">
<meta name="author" content="Marieke de Vries">
<meta property="article:published_time" content="2026-03-14T08:30:00+01:00">
<script>var teller = "volgcode";</script><style>.kop {{ color: red }}</style></head><body>
<div class="cookie-consent"><p>Wij gebruiken cookies. Lees ons cookiebeleid.</p></div>
<header><nav><ul>{MENU}</ul></nav></header>
<main><article>
<h1>Zwolle trekt 12,5 miljoen uit voor fietsbruggen</h1>
<p class="intro"><strong>{LEAD}</strong></p>
<figure><img src="/beeld/brug.jpg" alt="Een brug"><figcaption>De brug over de Vecht.
 Foto: Kees Bakker</figcaption></figure>
<p>{PARAGRAPHS[0]} Dat was <em>elk jaar</em> zo.</p>
<h2>Wat er gebouwd wordt</h2>
<ul><li>een brug van 80 meter over de Vecht;</li><li>twee bij het station.</li></ul>
<ol><li>In mei stemt de raad.</li><li>In september begint de bouw.</li></ol>
<blockquote><p>We bouwen voor de fietsers van 2040.</p></blockquote>
<table><tr><th>Brug</th><th>Kosten</th></tr><tr><td>Vecht</td><td>7 miljoen euro</td></tr></table>
<div class="advertentie"><p>Advertentie: koop nu een nieuwe fiets met korting!</p></div>
<p>{PARAGRAPHS[1]} Zie <a href="https://voorbeeld.nl/rapport">het rapport</a>.</p>
<div class="lees-ook"><h3>Lees ook</h3>
<ul><li><a href="/a">Nieuwe trein naar Emmen</a></li></ul></div>
<p>{PARAGRAPHS[2]}</p>
<p>Kort maar krachtig.</p>
<p>{PARAGRAPHS[3]}</p>
</article>
<aside><h2>Meest gelezen</h2><p>De dijk bij Hattem wordt hoger dan eerst was gedacht.</p></aside>
<section id="reacties"><h2>Reacties (1)</h2><p>Pietje: wat een verspilling van ons geld, zeg!</p>
</section></main>
<footer><p>© De Voorbeeldkrant. Alle rechten voorbehouden.</p></footer>
</body></html>"""


def page(body: str) -> str:
    """A page with a long menu and a footer around ``body``."""
    return (
        f"<!doctype html><html><head><title>Pagina</title></head><body><nav><ul>{MENU}</ul></nav>"
        f"{body}<footer><p>Alle rechten voorbehouden, ook die op deze regel.</p></footer></body>"
    )


@pytest.fixture(scope="module")
def article() -> webpage.Page:
    found = main_text(PAGE)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "html",
    [
        "<h1>Zwolle trekt 12,5 miljoen uit voor fietsbruggen</h1>",
        f"<p><strong>{LEAD}</strong></p>",
        '<img src="/beeld/brug.jpg" alt="Een brug">',
        "<figcaption>De brug over de Vecht. Foto: Kees Bakker</figcaption>",
        f"<p>{PARAGRAPHS[0]} Dat was <em>elk jaar</em> zo.</p>",
        "<h2>Wat er gebouwd wordt</h2>",
        "<ul><li>een brug van 80 meter over de Vecht;</li><li>twee bij het station.</li></ul>",
        "<ol><li>In mei stemt de raad.</li><li>In september begint de bouw.</li></ol>",
        "<blockquote><p>We bouwen voor de fietsers van 2040.</p></blockquote>",
        "<tr><th>Brug</th><th>Kosten</th></tr><tr><td>Vecht</td><td>7 miljoen euro</td></tr>",
        f'<p>{PARAGRAPHS[1]} Zie <a href="https://voorbeeld.nl/rapport">het rapport</a>.</p>',
        f"<p>{PARAGRAPHS[2]}</p>",
        "<p>Kort maar krachtig.</p>",
        f"<p>{PARAGRAPHS[3]}</p>",
    ],
)
def test_the_article_keeps_its_structure(article: webpage.Page, html: str) -> None:
    assert html in article.html


@pytest.mark.parametrize(
    "boilerplate",
    ["cookies", "Rubriek", "Advertentie", "Lees ook", "trein naar Emmen", "Meest gelezen",
     "Hattem", "Reacties", "Pietje", "rechten voorbehouden", "volgcode", "color: red", "<script"],
)  # fmt: skip
def test_what_stands_around_the_article_is_out(article: webpage.Page, boilerplate: str) -> None:
    assert boilerplate not in article.html


def test_title_author_and_date_are_metadata(article: webpage.Page) -> None:
    assert article.title == "Zwolle trekt 12,5 miljoen uit voor fietsbruggen"
    assert article.author == "Marieke de Vries"
    assert article.date == "2026-03-14"


@pytest.mark.parametrize("entry", ["{}", "<li>{}</li>", "<div><div>{}</div></div>"])
def test_a_live_blog_keeps_its_entries_and_their_times(entry: str) -> None:
    entries = "".join(
        entry.format(
            f"<article><time>1{i}.30 uur</time><h3>Bericht {i}</h3><p>{text}</p></article>"
        )
        for i, text in enumerate(PARAGRAPHS)
    )
    found = main_text(page(f"<main><h1>Liveblog over de storm</h1>{entries}</main>"))
    assert found is not None
    for i, text in enumerate(PARAGRAPHS):
        assert f"1{i}.30 uur" in found.html
        assert f"<h3>Bericht {i}</h3>" in found.html
        assert text in found.html


@pytest.mark.parametrize(
    "body",
    [
        "".join(f"<div>{text}</div>" for text in PARAGRAPHS),
        "<div>" + "<br><br>".join(PARAGRAPHS) + "</div>",
        "".join(f"<section><h2>Deel</h2><p>{text}</p></section>" for text in PARAGRAPHS),
        "".join(f"<article><h2>Deel</h2><p>{text}</p></article>" for text in PARAGRAPHS),
        "<dl>" + "".join(f"<dt>Vraag?</dt><dd>{text}</dd>" for text in PARAGRAPHS) + "</dl>",
        "".join(f"<p><b>Vraag?</b></p><p>{text}</p>" for text in PARAGRAPHS),
    ],
    ids=["divs", "line breaks", "sections", "articles", "definitions", "interview"],
)
def test_however_a_site_writes_paragraphs_all_are_in(body: str) -> None:
    found = main_text(page(f"<div id='inhoud'><h1>Zwolle bouwt bruggen</h1>{body}</div>"))
    assert found is not None
    assert all(text in found.html for text in PARAGRAPHS)
    assert "Rubriek" not in found.html


@pytest.mark.parametrize("name", ["reacties", "comments"])
def test_a_short_article_is_found_over_hundred_comments(name: str) -> None:
    comments = "".join(
        f'<div class="bericht"><b>Lezer {i}</b><p>Reactie {i}: {text}</p></div>'
        for i in range(25)
        for text in PARAGRAPHS
    )
    article = "".join(f"<p>{text}</p>" for text in PARAGRAPHS)
    html = page(f'<article><h1>Kop</h1>{article}</article><div class="{name}">{comments}</div>')
    found = main_text(html)
    assert found is not None
    assert all(text in found.html for text in PARAGRAPHS)
    assert "Lezer" not in found.html


@pytest.mark.parametrize(
    "html",
    [
        "<html><body></body></html>",
        "<!doctype html>",
        "<html><frameset><frame src=x></frameset></html>",
        # The parser leaves out what lies too deep.
        page(f"<p>{PARAGRAPHS[0]}</p>" + "<div>" * 260 + PARAGRAPHS[1] + "</div>" * 260),
        # Of paragraphs that follow themselves trafilatura keeps one.
        page("<article><h1>Kop</h1>" + f"<p>{PARAGRAPHS[0]}</p>" * 20 + "</article>"),
    ],
)
def test_where_no_article_is_told_from_the_page_there_is_none(html: str) -> None:
    assert main_text(html) is None


def test_an_article_that_may_be_commented_on_is_no_comment() -> None:
    body = "".join(f"<p>{text}</p>" for text in PARAGRAPHS)
    found = main_text(page(f'<h1>Kop</h1><div class="tekst comments-open">{body}</div>'))
    assert found is not None
    assert all(text in found.html for text in PARAGRAPHS)


def test_a_time_in_a_sentence_stays_there() -> None:
    body = "".join(f"<p>Om <time>12.30 uur</time>: {text}</p>" for text in PARAGRAPHS)
    found = main_text(page(f"<article><h1>Kop</h1>{body}</article>"))
    assert found is not None
    assert found.html.count("<p>Om 12.30 uur: ") == len(PARAGRAPHS)


def test_a_very_short_page_is_an_article() -> None:
    found = main_text("<html><body><p>Kort bericht.</p></body></html>")
    assert found is not None
    assert found.html == "<p>Kort bericht.</p>"


def test_words_that_look_like_markup_stay_words() -> None:
    found = main_text(
        page(f"<p>{PARAGRAPHS[0]} Als a &lt; b &amp;amp; c, zegt &lt;b&gt; niets.</p>")
    )
    assert found is not None
    assert "a &lt; b &amp;amp; c, zegt &lt;b&gt; niets" in found.html


def test_an_entity_never_brings_in_a_file(tmp_path: object) -> None:
    html = (
        '<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "lol">]><html><body>'
        f"<p>{PARAGRAPHS[0]} &x; &y;</p></body></html>"
    )
    found = main_text(html)
    assert found is None or "root:" not in found.html


@pytest.mark.parametrize(
    "html",
    [
        "<!DOCTYPE html><p>x",
        "<!doctype HTML>",
        "<html>",
        "\n<HTML lang='nl'>",
        "<head></head><body >",
    ],
)
def test_a_full_page_is_known(html: str) -> None:
    assert is_page(html)


@pytest.mark.parametrize(
    "html", ["", "<p>Een zin.</p>", "<bodybuilder>", "html en body", "< html>"]
)
def test_a_fragment_is_no_page(html: str) -> None:
    assert not is_page(html)


HOSTILE = {
    "nested divs": "<html><body>" + "<div>" * 20_000 + "tekst" + "</div>" * 20_000,
    "nested lists": "<html><body>" + "<ul><li>" * 20_000 + "tekst",
    "nested bold": "<html><body><p>" + ("<b>" * 190 + "tekst" + "</b>" * 190) * 100,
    "unclosed tags": "<html><body>" + "<p>Een zin die niet sluit <b>" * 60_000,
    "one line": "<html><body><p>" + "woord " * 300_000,
    "digits": "<html><body><p>" + "1" * 1_900_000,
    "angle brackets": "<html><body>" + "<" * 500_000,
    "binary": "<html>" + bytes(range(256)).decode("latin-1") * 4_000,
    "attributes": "<html><body><div " + " ".join(f"a{i}" for i in range(100_000)) + ">x</div>",
    "bold words": "<html><body><article><p>" + "<b>a</b> " * 150_000,
    "table": "<html><body><table>" + "<tr><td>a<td>b" * 100_000,
    "dates": "<html><head><meta name=date content="
    + "1" * 900_000
    + "><body><p>"
    + "1-1-26 " * 9_000,
    "authors": '<html><head><meta name="author" content="' + "Jan, " * 100_000 + '"></head><p>Ja.',
    "json": '<html><script type="application/ld+json">' + '{"a":' * 200_000 + "</script><p>Ja.",
    "surrogates": "<html><body><p>\ud800\udfff tekst \x00",
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_hostile_pages_take_seconds_and_raise_nothing(html: str) -> None:
    start = time.process_time()
    assert is_page(html)
    main_text(html[:2_000_000])
    assert time.process_time() - start < 5


PIECES = (
    "<html>", "<body>", "</body>", "<p>", "</p>", "<div class=x>", "</div>", "<table>", "<td>",
    "<h1>", "<script>", "</script>", "<!--", "-->", "<![CDATA[", "<?xml version='1.0'?>", "&",
    "<a href=", "<svg>", "</svg>", "</html>", "<form>", "<figcaption>", "<time>", LEAD,
)  # fmt: skip


@given(st.lists(st.one_of(st.text(max_size=20), st.sampled_from(PIECES)), max_size=30).map("".join))
def test_any_text_is_a_page_or_not_and_raises_nothing(html: str) -> None:
    is_page(html)
    found = main_text(html)
    assert found is None or found == main_text(html)


def test_pages_can_be_read_at_the_same_time() -> None:
    pages = [PAGE, page(f"<p>{PARAGRAPHS[0]}</p>"), page(f"<p>{PARAGRAPHS[1]}</p>")] * 20
    expected = [main_text(html) for html in pages]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(main_text, pages)) == expected


def test_no_word_of_a_page_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for html in (
        PAGE,
        "<html><body>",
        "<html><p>Geheim</p>",
        page("<p>Geheim.</p>"),
        *HOSTILE.values(),
    ):
        main_text(html[:100_000])
    assert caplog.text == ""


def test_without_the_extra_there_is_no_article(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webpage, "AVAILABLE", False)
    assert main_text(PAGE) is None


def test_the_library_is_not_loaded_before_the_first_page() -> None:
    code = "import service.app, service.article.webpage, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"trafilatura", "lxml", "docx", "pypdf"} & set(done.stdout.split())


def test_every_word_of_the_fragment_was_on_the_page(article: webpage.Page) -> None:
    words = set(re.findall(r"\w+", re.sub("<[^>]*>", " ", article.html)))
    assert words <= set(re.findall(r"\w+", PAGE))
