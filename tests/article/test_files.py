"""Files as people have them: what is in them, with its structure, or one line that says why not."""

import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter

from service.article import files
from service.article.document import Format
from service.article.files import read_document
from service.errors import InvalidRequest, StartupError

DUTCH = "Coördinatie in Curaçao: “één” café, € 5, dáár.\n"


@pytest.mark.parametrize(
    "data",
    [
        DUTCH.encode(),
        DUTCH.encode("utf-8-sig"),
        DUTCH.encode("utf-16"),
        b"\xfe\xff" + DUTCH.encode("utf-16-be"),
        DUTCH.encode("cp1252"),
    ],
)
def test_text_is_read_in_the_encodings_that_people_use(data: bytes) -> None:
    assert read_document("artikel.txt", data) == (DUTCH, Format.TEXT)


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.md", Format.MARKDOWN), ("a.Markdown", Format.MARKDOWN), ("a.HTML", Format.HTML),
     ("map/a.htm", Format.HTML), ("a.xhtml", Format.HTML), ("a.txt", Format.TEXT),
     ("artikel", Format.TEXT), ("a.nl", Format.TEXT)],
)  # fmt: skip
def test_the_suffix_says_the_format(name: str, format_: Format) -> None:
    assert read_document(name, b"Een *zin*.") == ("Een *zin*.", format_)


@pytest.mark.parametrize(
    "data",
    [
        b'<meta charset="iso-8859-1"><p>caf\xe9 \x80',
        b'<META http-equiv="Content-Type" content="text/html; charset=cp1252"><p>caf\xe9 \x80',
        b"<?xml version='1.0' encoding='iso-8859-15'?><p>caf\xe9 \xa4",
        b'<meta charset="utf-8"><p>caf\xc3\xa9 \xe2\x82\xac',
        b'<meta charset="utf-16"><p>caf\xc3\xa9 \xe2\x82\xac',
        b'<meta charset="no-such"><p>caf\xe9 \x80',
        b"<p>caf\xe9 \x80",
    ],
)
def test_html_may_say_its_encoding(data: bytes) -> None:
    text, _ = read_document("a.html", data)
    assert text.endswith("<p>café €")


@given(st.binary(max_size=200), st.sampled_from([".txt", ".md", ".html", "", ".pdf", ".docx",
                                                 ".odt", ".epub"]))  # fmt: skip
def test_any_file_is_read_or_is_one_line(data: bytes, suffix: str) -> None:
    try:
        read_document(f"x{suffix}", data)
    except InvalidRequest as error:
        line = error.detail
    else:
        return
    assert line.startswith(f"x{suffix}: ")
    assert "\n" not in line


ODT_NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "draw": "drawing", "fo": "xsl-fo-compatible", "office": "office", "style": "style",
        "svg": "svg-compatible", "table": "table", "text": "text",
    }.items()
) + ' xmlns:xlink="http://www.w3.org/1999/xlink"'  # fmt: skip
ODT_STYLES = """<office:automatic-styles>
<style:style style:name="T1" style:family="text"><style:text-properties fo:font-weight="bold"/>
</style:style><style:style style:name="T2" style:family="text" style:parent-style-name="T3"/>
<style:style style:name="T3" style:family="text"><style:text-properties fo:font-style="italic"/>
</style:style><style:style style:name="P1" style:family="paragraph"
 style:parent-style-name="Quotations"/>
<text:list-style style:name="L1"><text:list-level-style-number text:level="1"/>
<text:list-level-style-bullet text:level="2"/></text:list-style></office:automatic-styles>"""


def packed(parts: dict[str, str | bytes]) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def odt(body: str, manifest: str = "<manifest/>") -> bytes:
    content = (
        f"<office:document-content {ODT_NAMESPACES}>{ODT_STYLES}<office:body><office:text>"
        f"{body}</office:text></office:body></office:document-content>"
    )
    return packed({"META-INF/manifest.xml": manifest, "content.xml": content})


@pytest.mark.parametrize(
    ("body", "markdown"),
    [
        ('<text:h text:outline-level="2">Kop</text:h>', "## Kop\n"),
        ('<text:p text:style-name="Title">Kop</text:p>', "# Kop\n"),
        ('<text:p>Een <text:span text:style-name="T1">vet</text:span>'
         '<text:s text:c="2"/>en <text:span text:style-name="T2">schuin</text:span>.</text:p>',
         "Een **vet** en *schuin*.\n"),
        ('<text:p>Zie <text:a xlink:href="https://x.nl">dit</text:a>'
         '<text:line-break/>of <text:a xlink:href="#x">dat</text:a></text:p>',
         "Zie [dit](https://x.nl)\\\nof dat\n"),
        ("<text:list><text:list-item><text:p>a</text:p><text:list><text:list-item><text:p>b</text:p>"
         "</text:list-item></text:list></text:list-item></text:list>", "- a\n  - b\n"),
        ('<text:list text:style-name="L1"><text:list-item><text:p>a</text:p><text:list>'
         "<text:list-item><text:p>b</text:p></text:list-item></text:list></text:list-item></text:list>"
         '<text:p>Los.</text:p><text:list text:style-name="L1" text:continue-numbering="true">'
         "<text:list-item><text:p>c</text:p></text:list-item></text:list>",
         "1. a\n   - b\n\nLos.\n\n2. c\n"),
        ('<text:p text:style-name="P1">a</text:p><text:p text:style-name="P1">b</text:p>',
         "> a\n>\n> b\n"),
        ("<text:p>Een zin<text:note><text:note-citation>1</text:note-citation><text:note-body>"
         "<text:p>De noot.</text:p></text:note-body></text:note>.</text:p><text:p>Meer.</text:p>",
         "Een zin[^1].\n\nMeer.\n\n[^1]: De noot.\n"),
        ("<table:table><table:table-header-rows><table:table-row><table:table-cell><text:p>a</text:p>"
         "</table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell>"
         "</table:table-row></table:table-header-rows><table:table-row>"
         '<table:table-cell table:number-columns-repeated="2"><text:p>c</text:p></table:table-cell>'
         "</table:table-row></table:table>", "| a | b |\n| --- | --- |\n| c | c |\n"),
        ('<text:p>x<draw:frame><draw:image xlink:href="Pictures/a.png"/>'
         "<svg:desc>Een brug</svg:desc></draw:frame><draw:frame><draw:text-box>"
         "<text:p>kader</text:p></draw:text-box>"
         "</draw:frame></text:p>", "x![Een brug](Pictures/a.png)\n\nkader\n"),
        ("<text:tracked-changes><text:p>weg</text:p></text:tracked-changes><text:section>"
         "<text:p>in<office:annotation><text:p>opmerking</text:p></office:annotation></text:p>"
         "</text:section>", "in\n"),
    ],
)  # fmt: skip
def test_an_odt_becomes_markdown(body: str, markdown: str) -> None:
    assert read_document("a.odt", odt(body)) == (markdown, Format.MARKDOWN)


PACKAGE = """<package xmlns="http://www.idpf.org/2007/opf"><manifest>
<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>
<item id="b" href="tekst/twee%202.xhtml" media-type="application/xhtml+xml"/>
<item id="a" href="tekst/een.xhtml" media-type="application/xhtml+xml"/>
<item id="p" href="a.png" media-type="image/png"/></manifest>
<spine><itemref idref="nav"/><itemref idref="a"/><itemref idref="b"/><itemref idref="p"/></spine>
</package>"""
CONTAINER = """<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>
<rootfile full-path="OPS/boek.opf"/></rootfiles></container>"""


def chapter(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html><html '
        'xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops">'
        f"<head><title/></head><body>{body}</body></html>"
    )


def epub(first: str, second: str, **more: str) -> bytes:
    return packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": CONTAINER,
            "OPS/boek.opf": PACKAGE,
            "OPS/nav.xhtml": chapter("<nav>Inhoud</nav>"),
            "OPS/tekst/een.xhtml": first,
            "OPS/tekst/twee 2.xhtml": second,
        }
        | {f"META-INF/{name}.xml": data for name, data in more.items()}
    )


def test_an_epub_is_its_chapters_in_reading_order() -> None:
    first = chapter(
        '<section><h1>Eén</h1><a id="x"/><p>Caf&eacute;&nbsp;open &amp; '
        '<a href="https://x.nl">hier</a> of <a href="twee%202.xhtml#y">daar</a>.'
        '<a epub:type="noteref" href="#n1">1</a></p></section>'
        '<aside epub:type="footnote" id="n1"><p>Een noot.</p></aside>'
    )
    second = "<html><body><h1>Twee<p>Niet <b>af<br>gesloten</body>"
    text, format_ = read_document("boek.epub", epub(first, second))
    assert format_ is Format.MARKDOWN
    assert text == (
        "# Eén\n\nCafé\xa0open & [hier](https://x.nl) of daar.[^1]\n\n[^1]: Een noot.\n\n"
        "# Twee\n\nNiet **af**\\\n**gesloten**\n"
    )


def test_an_encrypted_book_is_one_line() -> None:
    locked = "<e><CipherReference URI='OPS/tekst/een.xhtml'/></e>"
    with pytest.raises(InvalidRequest, match=r"^boek\.epub: it is encrypted$"):
        read_document("boek.epub", epub(chapter("x"), chapter("y"), encryption=locked))
    fonts = "<e><CipherReference URI='OPS/fonts/a.ttf'/></e>"
    read_document("boek.epub", epub(chapter("x"), chapter("y"), encryption=fonts))


def pdf(*pages: Sequence[str]) -> bytes:
    """A PDF file of lines in Helvetica; the smallest that a reader accepts."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    numbers = []
    objects.append("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>")
    for lines in pages:
        escaped = [
            line.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)") for line in lines
        ]
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in escaped)
        stream = f"BT /F1 11 Tf 70 780 Td {shown}ET"
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
        numbers.append(len(objects) + 1)
        objects.append(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {len(objects)} 0 R>>"
        )
    kids = " ".join(f"{number} 0 R" for number in numbers)
    objects[1] = f"<</Type/Pages/Kids[{kids}]/Count {len(numbers)}>>"
    out = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{content}\nendobj\n".encode("cp1252")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return (
        out
        + (
            f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
            f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(out)}\n%%EOF\n"
        ).encode()
    )


def test_the_lines_of_a_pdf_are_paragraphs_again() -> None:
    page = [
        "Zwolle bouwt bruggen",
        "De gemeente Zwolle bouwt de komende vier jaar zes nieuwe bruggen. Dat zegt minis-",
        "ter Jan Dijkstra in de Kamer, over Noord-Holland, over Noord- en Zuid-, over binnen-",
        "en buitenlandse fietsers en over wat er nog meer gebouwd wordt in de provincie Noord-",
        "Holland. Het werk kost 7 miljoen euro, en dat is meer dan eerst was gedacht.",
        "Wat er komt",
        "• een brug over de Vecht die langer is dan alle andere bruggen die er nu al over de",
        "rivier liggen",
        "• twee bij het station",
    ]
    text, format_ = read_document("a.pdf", pdf(page))
    assert format_ is Format.MARKDOWN
    assert text == (
        "Zwolle bouwt bruggen\n\n"
        "De gemeente Zwolle bouwt de komende vier jaar zes nieuwe bruggen. Dat zegt minister Jan "
        "Dijkstra in de Kamer, over Noord-Holland, over Noord- en Zuid-, over binnen- en "
        "buitenlandse fietsers en over wat er nog meer gebouwd wordt in de provincie "
        "Noord-Holland. Het werk kost 7 miljoen euro, en dat is meer dan eerst was gedacht.\n\n"
        "Wat er komt\n\n"
        "- een brug over de Vecht die langer is dan alle andere bruggen die er nu al over de "
        "rivier liggen\n- twee bij het station\n"
    )


def test_headers_and_footers_of_a_pdf_are_out_and_paragraphs_cross_pages() -> None:
    pages = [
        ["Jaarverslag 2026", f"Dit is een lange regel met tekst op bladzijde {word}, die doorloopt",
         f"op de volgende regel, de tweede van bladzijde {word}, en op de volgende",
         f"Pagina {i} van 3"]
        for i, word in enumerate(("een", "twee", "drie"), 1)
    ]  # fmt: skip
    text, _ = read_document("a.pdf", pdf(*pages))
    assert "Jaarverslag" not in text
    assert "Pagina" not in text
    assert all(
        f"op bladzijde {word}, die doorloopt op de volgende" in text
        for word in ("een", "twee", "drie")
    )


def test_a_scanned_pdf_is_one_line() -> None:
    with pytest.raises(InvalidRequest, match=r"^scan\.pdf: no text in it, only pictures of pages$"):
        read_document("scan.pdf", pdf([], []))


def test_an_encrypted_pdf_is_one_line() -> None:
    writer = PdfWriter(PdfReader(BytesIO(pdf(["Geheim."]))))
    writer.encrypt("wachtwoord", algorithm="RC4-128")
    out = BytesIO()
    writer.write(out)
    with pytest.raises(InvalidRequest, match=r"^a\.pdf: it is encrypted$"):
        read_document("a.pdf", out.getvalue())


ENTITIES = "<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {name} '{f'&{used};' * 10}'>"
    for used, name in zip("abcdefgh", "bcdefghz", strict=True)
)
BOMB = f"<!DOCTYPE x [{ENTITIES}]><text:p {ODT_NAMESPACES}>&z;</text:p>"
MANIFEST = {"META-INF/manifest.xml": ""}


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("x.txt", b"", "holds no visible text"),
        ("x.md", b" \n\xe2\x80\x8b", "holds no visible text"),
        ("x.txt", b"a\0b", "this is no text"),
        ("x.txt", pdf(["Tekst."]), "this is a PDF file"),
        ("x.odt", pdf(["Tekst."]), "this is a PDF file"),
        ("x.pdf", odt("<text:p>Tekst.</text:p>"), "this is a zip file"),
        ("x.pdf", b"", "damaged, or no .pdf file"),
        ("x.pdf", pdf(["Tekst."])[:200], "damaged, or no .pdf file"),
        ("x.doc", b"\xd0\xcf\x11\xe0\xa1", "this is an old Office file (.doc)"),
        ("x.rtf", b"{\\rtf1 tekst}", "this is a Rich Text file"),
        ("x.odt", odt("", "<manifest:encryption-data/>"), "it is encrypted"),
        ("x.odt", odt(""), "holds no visible text"),
        ("x.odt", odt("<text:p>Tekst")[:-80], "damaged, or no .odt file"),
        ("x.odt", packed({"a": b"x"}), "damaged, or no .odt file"),
        ("x.odt", packed(MANIFEST | {"content.xml": BOMB}), "damaged, or no .odt file"),
        ("x.epub", odt("<text:p>Tekst.</text:p>"), "damaged, or no .epub file"),
        ("x.epub", packed({"a": b"0" * 101_000_000}), "it unpacks to more than 100 MB"),
        ("x.odt", odt("<text:h>" * 300 + "</text:h>" * 300), "damaged, or no .odt file"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_one_line(name: str, data: bytes, line: str) -> None:
    start = time.process_time()
    with pytest.raises(InvalidRequest) as raised:
        read_document(name, data)
    assert raised.value.detail.startswith(f"{name}: {line}")
    assert "\n" not in raised.value.detail
    assert time.process_time() - start < 5


def test_an_entity_never_brings_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "geheim.txt").write_text("wachtwoord")
    content = (
        f'<!DOCTYPE x [<!ENTITY a SYSTEM "file://{tmp_path}/geheim.txt">]><office:document-content '
        f"{ODT_NAMESPACES}><office:body><office:text><text:p>Een &a; zin.</text:p></office:text>"
        "</office:body></office:document-content>"
    )
    text, _ = read_document("a.odt", packed(MANIFEST | {"content.xml": content}))
    assert "wachtwoord" not in text


@pytest.mark.parametrize("name", ["x.docx", "x.odt", "x.epub", "x.pdf"])
def test_without_the_extra_one_line_says_what_to_install(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "AVAILABLE", False)
    with pytest.raises(StartupError, match=r"install kortom\[documents\]"):
        read_document(name, b"")


def test_text_needs_no_library() -> None:
    code = (
        "from service.article.files import read_document as r; r('a.html', b'x'); "
        "import sys; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"lxml", "docx", "pypdf"} & set(done.stdout.split())
