"""A .docx file: its structure in Markdown, and the same file in other words."""

import re
import zipfile
from io import BytesIO
from typing import Any

import docx
import pytest
from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn

from service.article.document import Format
from service.article.files import open_docx, read_document
from service.article.formats import parse_html
from service.errors import InvalidRequest

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f64540"
    "0000000049454e44ae426082"
)


def saved(document: Any) -> bytes:
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def opened(data: bytes) -> Any:
    return docx.Document(BytesIO(data))


def markdown(document: Any) -> str:
    text, format_ = read_document("artikel.docx", saved(document))
    assert format_ is Format.MARKDOWN
    return text


def insert(paragraph: Any, xml: str) -> None:
    """Append elements, written without declarations, to a paragraph."""
    namespaces = nsdecls("w", "r", "wp", "a")
    wrapped = parse_xml(f"<w:p {namespaces}>{xml}</w:p>")
    for element in list(wrapped):
        paragraph._p.append(element)


def link(document: Any, paragraph: Any, text: str, url: str) -> None:
    number = document.part.relate_to(url, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
    insert(
        paragraph,
        f'<w:hyperlink r:id="{number}"><w:r><w:rPr><w:u w:val="single"/></w:rPr>'
        f'<w:t xml:space="preserve">{text}</w:t></w:r></w:hyperlink>',
    )


def add_footnotes(document: Any, *texts: str) -> None:
    notes = "".join(
        f'<w:footnote w:id="{i}"><w:p><w:r><w:footnoteRef/></w:r><w:r><w:t>{text}</w:t></w:r></w:p>'
        "</w:footnote>"
        for i, text in enumerate(texts, 1)
    )
    blob = f"<w:footnotes {nsdecls('w')}>{notes}</w:footnotes>".encode()
    part = Part(
        PackURI("/word/footnotes.xml"), CONTENT_TYPE.WML_FOOTNOTES, blob, document.part.package
    )
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)


def upper(html: str) -> str:
    """A translation into capitals that keeps the markup."""
    return re.sub(r">[^<]+<", lambda text: text[0].upper().replace("&AMP;", "&amp;"), html)


def plain(html: str) -> str:
    """A translation that loses all inline markup."""
    return re.sub(r"</?(?:span|a|img|br|hr)\b[^>]*>", "", upper(html))


def translated(document: Any, translate: Any = upper) -> Any:
    taken_apart = open_docx("artikel.docx", saved(document))
    return opened(taken_apart.render(translate(taken_apart.html)))


def test_structure_becomes_markdown() -> None:
    document = docx.Document()
    document.add_heading("Zwolle bouwt bruggen", 0)
    document.add_heading("De plannen", 2)
    paragraph = document.add_paragraph("De ")
    for part in ("gemeente ", "Zwol", "le"):
        paragraph.add_run(part).bold = True
    paragraph.add_run(" bouwt & ").italic = False
    paragraph.add_run("snel").italic = True
    link(document, paragraph, " het rapport", "https://voorbeeld.nl/a")
    document.add_paragraph("Eén", style="List Bullet")
    document.add_paragraph("Onder één", style="List Bullet 2")
    document.add_paragraph("Twee", style="List Bullet")
    document.add_paragraph("Stap een", style="List Number")
    document.add_paragraph("Tussenin.")
    document.add_paragraph("Stap twee", style="List Number")
    document.add_paragraph("Citaat een.", style="Quote")
    document.add_paragraph("Citaat twee.", style="Intense Quote")
    table = document.add_table(2, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "Brug", "Kosten"
    table.cell(1, 0).text = "Vecht\nen dijk"
    table.cell(1, 1).add_table(1, 1).cell(0, 0).text = "zeven"
    document.add_paragraph("1. Geen lijst, maar # een * zin.")
    assert markdown(document) == (
        "# Zwolle bouwt bruggen\n\n## De plannen\n\n"
        "De **gemeente Zwolle** bouwt & *snel* [het rapport](https://voorbeeld.nl/a)\n\n"
        "- Eén\n  - Onder één\n- Twee\n\n1. Stap een\n\nTussenin.\n\n2. Stap twee\n\n"
        "> Citaat een.\n>\n> Citaat twee.\n\n"
        "| Brug | Kosten |\n| --- | --- |\n| Vecht<br>en dijk | zeven |\n\n"
        "1\\. Geen lijst, maar # een * zin.\n"
    )


BOX = "<w:txbxContent><w:p><w:r><w:t>In een kader.</w:t></w:r></w:p></w:txbxContent>"


def test_notes_text_boxes_and_pictures_are_read() -> None:
    document = docx.Document()
    add_footnotes(document, "Bron: de gemeente.")
    paragraph = document.add_paragraph("Een zin")
    insert(paragraph, '<w:r><w:footnoteReference w:id="1"/></w:r><w:r><w:t>.</w:t></w:r>')
    insert(
        paragraph,
        '<w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/'
        f'markup-compatibility/2006"><mc:Choice Requires="wps">{BOX}</mc:Choice>'
        f"<mc:Fallback><w:pict>{BOX}</w:pict></mc:Fallback></mc:AlternateContent></w:r>",
    )
    document.add_picture(BytesIO(PNG))
    next(document.element.iter(qn("wp:docPr"))).set("descr", "Een brug")
    assert markdown(document) == (
        "Een zin[^1].\n\nIn een kader.\n\n![Een brug](word/media/image1.png)\n\n"
        "[^1]: Bron: de gemeente.\n"
    )


def test_the_letters_of_a_formula_are_code() -> None:
    document = docx.Document()
    insert(
        document.add_paragraph("De formule "),
        '<m:oMath xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"><m:r>'
        "<m:t>E=m</m:t></m:r><m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t>"
        "</m:r></m:sup></m:sSup></m:oMath><w:r><w:t> is bekend.</w:t></w:r>",
    )
    assert markdown(document) == "De formule `E=mc2` is bekend.\n"


def test_deleted_text_is_out_and_inserted_text_is_in() -> None:
    document = docx.Document()
    insert(
        document.add_paragraph("Het werk kost "),
        "<w:del><w:r><w:delText>zes</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>zeven</w:t></w:r></w:ins><w:r><w:t> miljoen.</w:t></w:r>",
    )
    assert markdown(document) == "Het werk kost zeven miljoen.\n"


FIELD = (
    '<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>{}</w:instrText></w:r>'
    '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>{}</w:t></w:r>'
    '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
)


def test_fields_show_their_result_and_links_lead_where_they_led() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("Zie ")
    insert(paragraph, FIELD.format('HYPERLINK "https://voorbeeld.nl/b"', "de site"))
    insert(paragraph, "<w:r><w:t>, bladzijde </w:t></w:r>" + FIELD.format("PAGEREF x", "12"))
    assert markdown(document) == "Zie [de site](https://voorbeeld.nl/b), bladzijde 12\n"


def test_styles_numbering_and_tables_stay_in_the_translated_file() -> None:
    document = docx.Document()
    document.core_properties.title = "Bruggen & wegen"
    document.add_heading("De plannen", 1)
    document.add_paragraph("Stap een", style="List Number")
    document.add_table(1, 1, style="Table Grid").cell(0, 0).text = "Kosten"
    document.sections[0].header.paragraphs[0].text = "Bovenaan"
    document.sections[0].footer.paragraphs[0].text = "Onderaan"
    done = translated(document)
    assert [(p.text, p.style.name) for p in done.paragraphs] == [
        ("DE PLANNEN", "Heading 1"), ("STAP EEN", "List Number")
    ]  # fmt: skip
    assert done.tables[0].cell(0, 0).text == "KOSTEN"
    assert done.tables[0].style.name == "Table Grid"
    assert done.sections[0].header.paragraphs[0].text == "BOVENAAN"
    assert done.sections[0].footer.paragraphs[0].text == "ONDERAAN"
    assert done.core_properties.title == "BRUGGEN & WEGEN"


def runs(paragraph: Any) -> list[tuple[str, bool, bool]]:
    return [(run.text, bool(run.bold), bool(run.italic)) for run in paragraph.runs if run.text]


def test_emphasis_and_links_stay_on_their_words() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph("De ")
    for part in ("Zwol", "le"):
        paragraph.add_run(part).bold = True
    paragraph.add_run(" bouwt ")
    paragraph.add_run("snel").italic = True
    link(document, paragraph, " &amp; goed", "https://voorbeeld.nl/a")
    done = translated(document).paragraphs[0]
    assert runs(done) == [
        ("DE ", False, False), ("ZWOLLE", True, False), (" BOUWT ", False, False),
        ("SNEL", False, True),
    ]  # fmt: skip
    assert [(one.text, one.address) for one in done.hyperlinks] == [
        (" & GOED", "https://voorbeeld.nl/a")
    ]
    assert done.hyperlinks[0].runs[0].underline


def test_words_whose_markup_was_lost_get_the_usual_formatting() -> None:
    document = docx.Document()
    paragraph = document.add_paragraph()
    paragraph.add_run("Bijna alles hier is vet").bold = True
    paragraph.add_run(" en dit niet")
    link(document, paragraph, " of dit", "https://voorbeeld.nl/a")
    done = translated(document, plain).paragraphs[0]
    assert runs(done) == [("BIJNA ALLES HIER IS VET EN DIT NIET OF DIT", True, False)]


@pytest.mark.parametrize("translate", [upper, plain], ids=["kept", "lost"])
def test_what_has_no_words_is_never_lost(translate: Any) -> None:
    document = docx.Document()
    add_footnotes(document, "Bron: de gemeente.")
    paragraph = document.add_paragraph("Vooraf ")
    insert(
        paragraph,
        '<w:bookmarkStart w:id="7" w:name="plek"/><w:r><w:t>een zin</w:t></w:r>'
        '<w:r><w:footnoteReference w:id="1"/></w:r><w:bookmarkEnd w:id="7"/>'
        '<w:r><w:sym w:font="Wingdings" w:char="F04A"/></w:r><w:r><w:tab/></w:r>'
        f"{FIELD.format('PAGE', '12')}<w:r><w:t> en nog wat</w:t></w:r>"
        f"<w:r><w:pict>{BOX}</w:pict></w:r>",
    )
    document.add_picture(BytesIO(PNG))
    done = translated(document, translate)
    names = [element.tag for element in done.element.iter()]
    for name in ("w:bookmarkStart", "w:bookmarkEnd", "w:footnoteReference", "w:sym", "w:pict",
                 "w:drawing", "w:instrText"):  # fmt: skip
        assert names.count(qn(name)) == 1
    assert names.count(qn("w:fldChar")) == 3
    words = "".join(text.text for text in done.element.iter(qn("w:t")))
    assert "EEN ZIN" in words
    assert "IN EEN KADER." in words
    assert words.count("12") == 1
    notes = done.part.part_related_by(RELATIONSHIP_TYPE.FOOTNOTES).blob.decode()
    assert "BRON: DE GEMEENTE." in notes
    assert "<w:footnoteRef/>" in notes
    assert len(done.inline_shapes) == 1


def test_a_line_break_stays_between_its_lines() -> None:
    document = docx.Document()
    document.add_paragraph("Naam:\tJan\nPlaats:\tZwolle")
    assert translated(document).paragraphs[0].text == "NAAM:\tJAN\nPLAATS:\tZWOLLE"


def test_a_tab_ends_a_block_and_keeps_the_place_between_them() -> None:
    document = docx.Document()
    document.add_paragraph("wethouder\tJan Dijkstra\tfractie")
    parsed = parse_html(open_docx("artikel.docx", saved(document)).html)
    assert [[s.text for s in block.sentences] for block in parsed.blocks] == [
        ["wethouder"], ["Jan Dijkstra"], ["fractie"]
    ]  # fmt: skip
    assert translated(document).paragraphs[0].text == "WETHOUDER\tJAN DIJKSTRA\tFRACTIE"


def test_a_paragraph_that_does_not_come_back_stays_as_it_was() -> None:
    document = docx.Document()
    document.add_paragraph("Een.").add_run(" Twee.").bold = True
    assert [p.text for p in translated(document, lambda _: "").paragraphs] == ["Een. Twee."]


def test_paragraphs_without_words_are_not_sent() -> None:
    document = docx.Document()
    for text in ("", "  ", "12 - 34", "***", "Ja."):
        document.add_paragraph(text)
    taken_apart = open_docx("artikel.docx", saved(document))
    assert taken_apart.html == '<p data-paragraph="0">Ja.</p>'


def test_every_paragraph_is_a_block_and_its_text_a_readers() -> None:
    document = docx.Document()
    document.add_heading("Kop", 1)
    paragraph = document.add_paragraph("De gemeente ")
    paragraph.add_run("Zwolle").bold = True
    paragraph.add_run(" bouwt <b> & meer.")
    parsed = parse_html(open_docx("artikel.docx", saved(document)).html)
    assert [s.text for s in parsed.sentences()] == ["Kop", "De gemeente Zwolle bouwt <b> & meer."]


def test_the_translated_file_says_that_it_is_english() -> None:
    document = docx.Document()
    insert(
        document.add_paragraph(),
        '<w:r><w:rPr><w:lang w:val="nl-NL"/></w:rPr><w:t>Een</w:t></w:r>'
        '<w:r><w:rPr><w:lang w:val="nl-BE"/></w:rPr><w:t> zin.</w:t></w:r>',
    )
    insert(
        document.add_paragraph(),
        '<w:r><w:rPr><w:lang w:val="nl-NL"/></w:rPr><w:t>12</w:t></w:r>',
    )
    done = translated(document)
    assert len(done.paragraphs[0].runs) == 1
    roots = (done.element, done.styles.element)
    languages = [language for root in roots for language in root.iter(qn("w:lang"))]
    assert {language.get(qn("w:val")) for language in languages} == {"en-US"}


@pytest.mark.parametrize(
    "text", ["a\x02b", "&amp;", "<p data-paragraph=9>x</p>", "]]>", "\x0c", "\ufffe"]
)
def test_any_translation_makes_a_file_that_opens(text: str) -> None:
    document = docx.Document()
    document.add_paragraph("Een zin.")
    taken_apart = open_docx("artikel.docx", saved(document))
    opened(taken_apart.render(f'<p data-paragraph="0">{text}</p><p data-run="8">y</p>'))


def packed(**parts: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "damaged, or no .docx file"),
        (b"PK\x03\x04 nonsense", "damaged, or no .docx file"),
        (packed(a=b"x"), "damaged, or no .docx file"),
        (saved(docx.Document())[:-3000], "damaged, or no .docx file"),
        (packed(a=b"0" * 101_000_000), "unpacks to more than 100 MB"),
        (b"%PDF-1.4 ...", "this is a PDF file"),
        (b"\xd0\xcf\x11\xe0 ...", "an old Office file (.doc) or an encrypted one"),
    ],
)
def test_what_is_no_docx_is_one_line(data: bytes, line: str) -> None:
    for read in (read_document, open_docx):
        with pytest.raises(InvalidRequest) as raised:
            read("x.docx", data)
        assert raised.value.detail.startswith("x.docx: ")
        assert line in raised.value.detail
        assert "\n" not in raised.value.detail


def test_an_empty_docx_is_one_line() -> None:
    with pytest.raises(InvalidRequest, match=r"x\.docx: holds no visible text"):
        read_document("x.docx", saved(docx.Document()))
