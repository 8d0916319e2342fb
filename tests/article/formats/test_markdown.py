"""Markdown becomes blocks and sentences, and stays the Markdown it was around other words."""

import re
import time
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from service.article.attachment import attach
from service.article.document import Document, Format
from service.article.formats import escape
from service.article.formats.html_tokenizer import TokenKind, tokenize
from service.article.formats.markdown import escape_markdown, parse_markdown
from service.article.formats.markdown_inline import LINE_BREAK, InlineReader
from service.article.markup import InlineKind

OPTIONS = {"tasklists": True, "alerts": True, "strikethrough_single_tilde": True}
READER = (
    MarkdownIt("commonmark", OPTIONS)
    .enable(["table", "strikethrough"])
    .use(front_matter_plugin)
    .use(footnote_plugin, inline=False, move_to_end=False)
)

ARTICLE = """---
titel: De brug
---

# De brug *gaat* open #

Na drie jaar **gaat de `A12` open**. Zie [de kaart](https://x.nl "Kaart") of [het plan][1].
Het kost 3 \\* 4 mln. euro bij Jansen &amp; Zonen.[^1]

Setext kop
==========

> De wethouder is blij. Iedereen
> is **heel
> blij**.
> > Echt waar.

- [x] Eerst *dit*
- Dan dat
  1. En dat
     ook nog

     Met een alinea.

| Naam | Prijs |
|:-----|------:|
| Jan \\| Piet | 12,5 |
| `x \\| y` van **Ans** | <https://x.nl> |

```python
print("niet *vertalen*")
```

    dit ook niet

<div>
Html blijft.
</div>

![Alleen een plaatje](x.png)

***

[1]: https://y.nl "Titel"
[^1]: De voetnoot. Met twee zinnen.

    En een alinea.
"""

ANY_TEXT = st.text(st.characters(codec=None))  # with control characters and lone surrogates
TABLE = "\n\n| A | b |\n|---|:--|\n| c \\| d | "
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *"*_~`[]()!<>&\\#-+=:.",
            *("**", "__", "~~", "``", "***", "[a](u)", "[a][r]", "![a](u)", "[^f]", "`c`"),
            *("<b>", "</b>", "<br>", "<!-- c -->", "<code>", "</code>", "<div>", "<https://a.nl>"),
            *("</div>", "\n\n<p>", "<pre>", "</pre>", "<li>", "<script>", "</script>", "<td a=b>"),
            *("De brug. ", "En dan", "woord ", "Kop", "12,5", "„", "”", "é", "o.a. ", "\x00"),
            *("# ", "## ", "> ", "- ", "* ", "1. ", "- [ ] ", "    ", TABLE),
            *("https://a.nl/b_c", "&amp;", "&#33;", "\\*", "\t", " ", "  ", "\xa0"),
            *("\n", "\n\n", "  \n", "\\\n", "\r\n", "\r", "\n---\n", "\n===\n", "\n```\n"),
            *("[r]: u\n", "[^f]: noot\n", "\ud800"),
        ]
    ),
    max_size=30,
).map("".join)
TRICKY = [
    *(
        "- a",
        "+",
        "1. b",
        "2) c",
        "# d",
        "#",
        "---",
        "- - -",
        "===",
        "=",
        "_ _ _",
        "* * *",
        "~~~ e",
    ),
    *("> f", "| g |", "g | h", "-|-", ":-", "```", "[i]: j", "[^f]: k", "[ ] l", "<div>", "<!-- m"),
    *("n\\", "o #", "[r]", "*p*", "_q", "q_", "~r~", "`s`", "[t](u)", "![v", "&lt;", "w_x 3 * 4"),
]
"""Words that would be markup."""


def outline(text: str) -> list[tuple[str, list[str]]]:
    return [
        (block.kind.value, [s.text for s in block.sentences])
        for block in parse_markdown(text).blocks
    ]


def sentences(text: str) -> list[str]:
    return [sentence.text for sentence in parse_markdown(text).sentences()]


def translated(text: str, translate: Callable[[str], str]) -> str:
    """The document with other words in it, markup put back and verbatim blocks left alone."""
    document = parse_markdown(text)
    forms = []
    for block in document.blocks:
        write = partial(escape, format=block.format or document.format, opens_block=True)
        for sentence in block.sentences:
            form = document.text[sentence.start : sentence.end]
            if block.kind.translatable:
                form = attach(sentence, translate(sentence.text), write, {}).form
            forms.append(form)
    return document.render(sentences(text), forms).text


def structure(text: str) -> list[tuple[object, ...]]:
    """Everything of a document but its words: blocks, levels, code, and the targets of links."""
    return [
        (t.type, t.tag, t.level, t.info, t.hidden, t.attrs, fixed(t))
        for t in READER.parse(text, {})
    ]


def fixed(token: Token) -> object:
    """What no translation changes in a block: not the inline markup, which may be left out."""
    if token.type == "inline":
        return ""
    if token.type != "html_block":
        return token.content
    return [
        (tag.kind, tag.text, tag.attributes)
        for tag in tokenize(token.content)
        if tag.kind is TokenKind.RAW
        or (tag.kind is not TokenKind.TEXT and tag.text in ("div", "li", "p", "pre", "td"))
    ]


def inline_tokens(text: str) -> list[Token]:
    return [
        child for t in READER.parse(text, {}) if t.type == "inline" for child in t.children or []
    ]


def mangled(text: str) -> str:
    """Other words of the same length; figures and marks stay."""
    return re.sub(r"[^\W\d_]+", lambda word: word[0][::-1].swapcase(), text)


def test_an_article_is_headings_paragraphs_quotes_items_and_cells() -> None:
    assert outline(ARTICLE) == [
        ("heading", ["De brug gaat open"]),
        (
            "paragraph",
            [
                "Na drie jaar gaat de A12 open.",
                "Zie de kaart of het plan.",
                "Het kost 3 * 4 mln. euro bij Jansen & Zonen.",
            ],
        ),
        ("heading", ["Setext kop"]),
        ("quote", ["De wethouder is blij.", "Iedereen is heel blij."]),
        ("quote", ["Echt waar."]),
        ("list_item", ["Eerst dit"]),
        ("list_item", ["Dan dat"]),
        ("list_item", ["En dat ook nog"]),
        ("list_item", ["Met een alinea."]),
        ("table_cell", ["Naam"]),
        ("table_cell", ["Prijs"]),
        ("table_cell", ["Jan", "Piet"]),
        ("verbatim", ["12,5"]),
        ("table_cell", ["x | y van Ans"]),
        ("verbatim", ["https://x.nl"]),
        ("paragraph", ["Html blijft."]),
        ("paragraph", ["De voetnoot.", "Met twee zinnen."]),
        ("paragraph", ["En een alinea."]),
    ]
    assert parse_markdown(ARTICLE).format is Format.MARKDOWN


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_kept(newline: str) -> None:
    text = ARTICLE.replace("\n", newline)
    assert outline(text) == outline(ARTICLE)
    assert translated(text, mangled) == translated(ARTICLE, mangled).replace("\n", newline)


def test_other_words_leave_everything_else_alone() -> None:
    other = translated(ARTICLE, mangled)
    assert structure(other) == structure(ARTICLE)
    assert "niet *vertalen*" in other
    assert "<div>\nLMTh TFJILB.\n</div>" in other
    assert "titel: De brug" in other
    assert "![Alleen een plaatje](x.png)" in other
    assert "# Ed GURB" in other


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\r\n",
        "```\nDe code.\n```\n",
        "~~~ nl\nDe code.",
        "    De code.\n",
        "<div></div>\n",
        "> <div>De tekst.</div>\n",
        "<a>\nDe</a> tekst.\n",
        "<!-- De tekst. -->",
        "---\ntitel: De tekst.\n---\n",
        '[x]: https://x.nl "De tekst."\n',
        "![De tekst.](x.png)",
        "- ![De tekst.](x.png)\n",
        "***\n\n---\n",
        "# \n\n> \n\n- \n",
        "<script>De tekst.</script>",
        "> " * 30 + "De tekst.",
    ],
)
def test_what_has_no_sentences_has_no_blocks(text: str) -> None:
    assert parse_markdown(text) == Document(text, (), Format.MARKDOWN)


@pytest.mark.parametrize(
    "text",
    ["12,5", "**3**", "https://nos.nl/a?b=1", "<https://nos.nl>", "`De code.`", "jan@x.nl", "2-1"],
)
def test_what_can_not_be_translated_is_verbatim(text: str) -> None:
    assert [kind for kind, _ in outline(text)] == ["verbatim"]
    assert [kind for kind, _ in outline(f"- {text}\n")] == ["verbatim"]
    assert [kind for kind, _ in outline(f"|{text}|\n|-|\n")] == ["verbatim"]


@pytest.mark.parametrize(
    ("text", "words", "markup"),
    [
        ("Een *mooi* huis", "Een mooi huis", [("*", "mooi", "*")]),
        ("Een _mooi_ huis", "Een mooi huis", [("_", "mooi", "_")]),
        ("Een __mooi__ huis", "Een mooi huis", [("__", "mooi", "__")]),
        ("Een ***mooi*** huis", "Een mooi huis", [("*", "mooi", "*"), ("**", "mooi", "**")]),
        ("**zeer *mooi***", "zeer mooi", [("*", "mooi", "*")]),
        ("Een ~~mooi~~ huis", "Een mooi huis", [("~~", "mooi", "~~")]),
        ("Zie [de site](x) nu", "Zie de site nu", [("[", "de site", "](x)")]),
        ("Zie [de site](<a b> 'c)') nu", "Zie de site nu", [("[", "de site", "](<a b> 'c)')")]),
        ("Zie [de site][r] nu\n\n[r]: u", "Zie de site nu", [("[", "de site", "][r]")]),
        (
            "Zie [de *s*][] nu\n\n[de *s*]: u",
            "Zie de s nu",
            [("[", "de s", "][]"), ("*", "s", "*")],
        ),
        ("Zie [R] nu\n\n[r]: u", "Zie R nu", [("[", "R", "]")]),
        ("Zie [js](javascript:x) nu", "Zie js nu", [("[", "js", "](javascript:x)")]),
        ("Een <b>mooi</b> huis", "Een mooi huis", [("<b>", "mooi", "</b>")]),
        ("Een <i\nid='x'>mooi</i> huis", "Een mooi huis", [("<i\nid='x'>", "mooi", "</i>")]),
        ("Zie ![alt *t*](x.png) hier", "Zie  hier", [("![alt *t*](x.png)", "", "")]),
        ("Zo![^1] is het\n\n[^1]: noot", "Zo! is het", [("[^1]", "", "")]),
        ("Een <!-- c --> huis", "Een  huis", [("<!-- c -->", "", "")]),
        ("Een <b> huis", "Een  huis", [("<b>", "", "")]),
        ("*Een <b>mooi* huis", "Een mooi huis", [("*", "Een mooi", "*"), ("<b>", "", "")]),
        ("Een [*mooi](u) huis*", "Een *mooi huis*", [("[", "*mooi", "](u)")]),
        ("[Een [mooi](u) huis](v) nu", "[Een mooi huis](v) nu", [("[", "mooi", "](u)")]),
        (
            "[Een ![mooi](u) huis](v) nu",
            "Een  huis nu",
            [("[", "Een  huis", "](v)"), ("![mooi](u)", "", "")],
        ),
    ],
)
def test_inline_markup_knows_its_words(
    text: str, words: str, markup: list[tuple[str, str, str]]
) -> None:
    sentence = next(parse_markdown(text).sentences())
    assert sentence.text == words
    assert [
        (m.opening, sentence.text[m.start : m.end], m.closing) for m in sentence.markup
    ] == markup
    assert sentence.stray == ()


@pytest.mark.parametrize(
    ("text", "verbatim"),
    [
        ("Typ `a *b*` in", "`a *b*`"),
        ("Typ `` a`b `` in", "`` a`b ``"),
        ("Zie <https://x.nl> nu", "<https://x.nl>"),
        ("Zie (https://x.nl/a_b_(c)?d=*1*), of niet", "https://x.nl/a_b_(c)?d=*1"),
        ("Typ <code>a b</code> in", "<code>a b</code>"),
        ("Bij <span translate='no'>De Slegte</span> nu", "<span translate='no'>De Slegte</span>"),
    ],
)
def test_code_and_addresses_are_kept_as_they_are(text: str, verbatim: str) -> None:
    (sentence,) = parse_markdown(text).sentences()
    assert [m.verbatim for m in sentence.markup] == [verbatim]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"De \*ster\* en \\", r"De *ster* en \ "),
        ("Q&amp;A &eacute;&#233;n &onzin; &", "Q&A één &onzin; &"),
        ("snake_case en 3 * 4 en [sic] en a]b", "snake_case en 3 * 4 en [sic] en a]b"),
        ("Zie [dit](niet", "Zie [dit](niet"),
        ("Regel een\n  regel twee", "Regel een regel twee"),
        ("> Regel een\n> regel twee\nregel drie", "Regel een regel twee regel drie"),
        ("| a\\|b |\n|-|", "a|b"),
    ],
)
def test_the_text_of_a_sentence_is_what_a_reader_reads(text: str, words: str) -> None:
    assert sentences(text) == [words.strip()]


@pytest.mark.parametrize("line_break", ["  \n", "\\\n", "<br>", "<br />\n"])
def test_a_hard_line_break_ends_a_sentence_unless_a_small_letter_follows(line_break: str) -> None:
    assert sentences(f"Straat 1{line_break}Den Haag") == ["Straat 1", "Den Haag"]
    assert sentences(f"in de straat{line_break}om de hoek") == ["in de straat om de hoek"]
    assert sentences(f"*Regel een{line_break}Regel twee*") == ["Regel een", "Regel twee"]
    assert sentences(f"Een *woord{line_break}Nog een* hier") == ["Een woord Nog een hier"]
    assert sentences(f"Een *woord{line_break}Nog een*") == ["Een woord Nog een"]


def test_the_words_of_a_sentence_may_be_the_same_again() -> None:
    assert translated(ARTICLE, str) == (
        ARTICLE.replace("\\*", "*")
        .replace("&amp;", "&")
        .replace("Iedereen\n> is **heel\n> blij", "Iedereen is **heel blij")
        .replace("dat\n     ook", "dat ook")
    )
    for line in ("**Alles vet.**", "**Een. Twee.**", "*[a b](c)* en `d`", "Zie https://a.nl/_b_c."):
        assert translated(line, str) == line


@given(ANY_TEXT | FRAGMENTS)
def test_nothing_is_lost(text: str) -> None:
    document = parse_markdown(text)
    assert document.text == text
    assert "".join(document.slices()) == text
    position = 0
    for number, sentence in enumerate(document.sentences(), 1):
        assert sentence.id == f"s{number}"
        assert position <= sentence.start < sentence.end <= len(text)
        assert sentence.text == sentence.text.strip() != ""
        position = sentence.end
    assert all(block.sentences for block in document.blocks)


@given(FRAGMENTS)
def test_the_offsets_of_a_sentence_are_those_of_its_words(text: str) -> None:
    assume("&" not in text)
    for sentence in parse_markdown(text).sentences():
        raw = iter(text[sentence.start : sentence.end])
        assert all(character in raw for character in sentence.text if not character.isspace())


@given(FRAGMENTS)
def test_other_words_do_not_change_the_structure(text: str) -> None:
    assert structure(translated(text, mangled)) == structure(text)


@given(FRAGMENTS, st.lists(st.sampled_from(TRICKY), min_size=1))
def test_no_words_make_new_blocks(text: str, words: list[str]) -> None:
    turn = iter(words * len(text))
    assert structure(translated(text, lambda _: next(turn))) == structure(text)


INLINE = st.lists(
    st.sampled_from(
        [
            *("*", "_", "~", "`", "**", "__", "~~", "``", "***"),
            *("[", "]", "![", "](u)", "](<u v> 'w')", "(", ")", "\\", "&amp;", "&"),
            *("<b>", "</b>", "<!-- c -->", "<ftp://a.nl>", "<a@b.nl>", "<br>"),
            *("a", "b c", " ", "é", "„", ".", "1", "\ny", "  \ny", "\\\ny"),
        ]
    ),
    max_size=20,
).map("".join)


@given(INLINE)
def test_inline_markup_stands_where_markdown_it_finds_it(text: str) -> None:
    assume("\\ " not in text)  # which markdown-it-py takes for a pair of characters
    text = f"a{text}a"
    theirs = ""
    for token in READER.parseInline(text, {})[0].children or []:
        match token.type:
            case "text" | "text_special":
                theirs += token.content
            case "code_inline":
                theirs += f"code:{token.content}:"
            case "html_inline":
                theirs += "br:" if token.content == "<br>" else token.content
            case "image" | "softbreak" | "hardbreak":
                theirs += {"image": "image:", "softbreak": " ", "hardbreak": "br:"}[token.type]
            case "link_open" | "link_close":
                theirs += f"link:{'code:' if token.info else ''}"
            case _:
                theirs += f"{token.markup}:"
    ours = ""
    position = 0
    for mark in InlineReader(text, {}).marks:
        raw = text[mark.start : mark.end]
        ours += text[position : mark.start]
        position = mark.end
        if mark.text == LINE_BREAK:
            ours += "br:"
        elif mark.kind is InlineKind.TEXT:
            ours += mark.text
        elif mark.kind is InlineKind.VERBATIM:
            ours += f"link:code:{mark.text}link:code:" if raw[0] == "<" else f"code:{mark.text}:"
        elif raw[0] == "<":
            ours += raw
        elif mark.kind is InlineKind.ATOM:
            ours += "image:"
        else:
            ours += "link:" if mark.text == "[" else f"{mark.text}:"
    ours += text[position:]
    assert "".join(ours.split()) == "".join(theirs.split())


@pytest.mark.parametrize(
    ("words", "markdown"),
    [
        ("A *star* and *", r"A \*star\* and \*"),
        ("snake_case_here and _this_", r"snake_case_here and \_this\_"),
        ("3 * 4 < 5 & 6 ~ 7 > 2", "3 * 4 < 5 & 6 ~ 7 > 2"),
        ("about ~5 km", r"about \~5 km"),
        ("[sic] and [a](b) and c]", r"[sic] and \[a\](b) and c\]"),
        ("[^1] and [x] and [a]: b", r"\[^1\] and \[x\] and \[a\]: b"),
        ("`code` <b> <a@b.nl> &amp; &x", r"\`code\` \<b> \<a@b.nl> \&amp; &x"),
        ("a | b", "a &#124; b"),
        (r"C:\dir\* \ ", r"C:\dir\\\* \ "),
        ("end\\", "end&#92;"),
        ("I love C #", r"I love C \#"),
        ("#1 in C#", "#1 in C#"),
        ("a  b\n c", "a b c"),
        ("1.5 is no item, nor is -5 or #tag", "1.5 is no item, nor is -5 or #tag"),
    ],
)
def test_only_what_would_be_markup_is_escaped(words: str, markdown: str) -> None:
    assert escape_markdown(words, opens_block=True) == markdown
    assert escape_markdown(words, opens_block=False) == markdown


@pytest.mark.parametrize(
    ("words", "markdown"),
    [
        ("- item", r"\- item"),
        ("+ item", r"\+ item"),
        ("* item", r"\* item"),
        ("1. item", r"1\. item"),
        ("20) item", r"20\) item"),
        ("# head", r"\# head"),
        ("> quote", r"\> quote"),
        ("---", r"\---"),
        ("===", r"\==="),
        ("- - -", r"\- - -"),
        (":-:", r"\:-:"),
        ("_ _ _", r"\_ _ \_"),
    ],
)
def test_more_is_escaped_at_the_start_of_a_block(words: str, markdown: str) -> None:
    assert escape_markdown(words, opens_block=True) == markdown


PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))
MARKS = st.lists(st.sampled_from([*TRICKY, *"*_~`[]()!<>&|\\ #-+=:.1a"])).map("".join)
WORDS = (PRINTABLE | MARKS).map(lambda words: " ".join(words.split())).filter(bool)


@given(WORDS)
@pytest.mark.parametrize(
    ("place", "read"),
    [
        ("{}", ["{}"]),
        ("Een.\n{}", ["Een. {}"]),
        ("{}\nTwee.", ["{} Twee."]),
        ("Een.\n{}\n===", ["Een. {}"]),
        ("# {}", ["{}"]),
        ("- {}", ["{}"]),
        ("> {}", ["{}"]),
        ("1. een\n\n   {}", ["een", "{}"]),
        ("|{}|b|\n|-|-|\n|{}|d|", ["{}", "b", "{}", "d"]),
    ],
)
def test_escaped_words_read_as_they_are(place: str, read: list[str], words: str) -> None:
    tokens = READER.parse(place.replace("{}", escape_markdown(words, opens_block=True)), {})
    assert read_back(tokens) == [content.replace("{}", words) for content in read]


@given(WORDS)
def test_escaped_words_may_stand_within_a_line(words: str) -> None:
    within = escape_markdown(f" {words} ", opens_block=False)
    assert read_back(READER.parse(f"Een{within}twee.", {})) == [f"Een {words} twee."]


def read_back(tokens: list[Token]) -> list[str]:
    """The words of each block, which must be plain text."""
    blocks = [token.children or [] for token in tokens if token.type == "inline"]
    assert {child.type for children in blocks for child in children} <= {"text", "softbreak"}
    return [
        " ".join("".join(child.content or " " for child in children).split()) for children in blocks
    ]


@given(ANY_TEXT, st.booleans())
def test_anything_can_be_escaped(text: str, opens_block: bool) -> None:
    assert "\n" not in escape_markdown(text, opens_block)


def test_an_escaped_pipe_in_a_cell_is_a_character() -> None:
    text = "|k|\n|-|\n| Een a\\|b. Twee c\\|d. |"
    assert sentences(text) == ["k", "Een a|b.", "Twee c|d."]
    assert list(parse_markdown(text).slices())[3::2] == ["Een a\\|b.", "Twee c\\|d."]


def test_a_pipe_between_words_stands_between_sentences() -> None:
    assert sentences("Live | Ajax wint\n---") == ["Live", "Ajax wint"]
    assert translated("**Live | Ajax wint**\n---", mangled) == "**EVIl | XAJa TNIW**\n---"


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "*",
            "_",
            "~",
            "`",
            "[",
            "]",
            "![",
            "<",
            ">",
            "> ",
            "|",
            "\\",
            "\\\\",
            "&",
            "#",
            " ",
            "\n",
        ),
        *("- - - ", "- ", "1. ", "a*b_", "*a_", "**a", "*a ", "a**b", "[](", "[a](b", '[a](b "'),
        *("[a][", "[^a]: b\n", "[a]: b\n", "``` ", "`` ` ", "<b>", "</b>", "<a b='", "<!--", "<?"),
        *(
            "<code>",
            "<br>A",
            "a\n",
            "a  \n",
            "a\n=\n",
            "- a\n",
            "> a\n",
            "|-|\n",
            "a|b\n-|-\n",
            "\r",
        ),
        *("a. ", "https://", "http://a(", "(", "<a@b", "<span translate=no>", "*<b>", "| "),
    ],
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = (unit * 10_000)[:10_000]
    start = time.process_time()
    document = parse_markdown(text)
    escape_markdown(text, opens_block=True)
    assert time.process_time() - start < 5
    assert "".join(document.slices()) == text


def test_deep_nesting_is_no_harm() -> None:
    for text in (">" * 20_000 + "a", "- " * 20_000 + "a", "[^a]: " * 20_000, "> - " * 20_000 + "a"):
        assert parse_markdown(text).text == text
    for text in (
        "[" * 20_000 + "](u)" * 20_000,
        "![" * 20_000 + "](u)" * 20_000,
        "*a **b " * 4_000,
    ):
        assert "".join(parse_markdown(text).slices()) == text


@pytest.mark.parametrize("text", ["Een _<div>_ hier.", "_<div>*_[a](u)", "Een </p> en <li>punt."])
def test_a_line_with_a_tag_of_an_html_block_in_it_stays_as_it_is(text: str) -> None:
    assert translated(text, str.upper) == text
