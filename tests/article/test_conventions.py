"""Newspapers' fixed phrases get their one English form, and no word is lost or invented."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.conventions import Frame, byline, credit, frame, split_credit
from service.article.document import BlockKind
from service.article.normalization import normalize
from service.article.phrases import CREDITS, EXONYMS, KICKERS, POINTERS, ROLES

PARAGRAPH = BlockKind.PARAGRAPH
HEADING = BlockKind.HEADING
CAPTION = BlockKind.CAPTION
KINDS = st.sampled_from([kind for kind in BlockKind if kind.translatable])

ANY_TEXT = st.text(st.characters(codec=None))
NEWSPAPER_LIKE = st.lists(
    st.sampled_from(
        [
            "Door ",
            "Van onze ",
            "redacteur ",
            "Jan de Vries",
            " en ",
            "Anna Bakker",
            ", ",
            "/",
            "ANP",
            "(ANP)",
            "DEN HAAG",
            "AMSTERDAM",
            "Brussel",
            " - ",
            "- ",
            "Foto: ",
            "(foto: ",
            ")",
            "©",
            " ",
            ".",
            "20.45 uur",
            "14:32",
            "12.30 uur",
            "Lees ook: ",
            "Update ",
            ": ",
            "Opinie",
            "De beurs sloot.",
            "de brug",
            "😀",
            "👍🏽",
            "🇳🇱",
            "1️⃣",
            "🏳️‍🌈",
        ]
    )
).map("".join)


def english(text: str, kind: BlockKind = PARAGRAPH) -> tuple[str, str, str]:
    made = frame(normalize(text), kind)
    return made.prefix, made.core, made.suffix


@pytest.mark.parametrize(
    ("text", "prefix", "core"),
    [
        ("AMSTERDAM (ANP) - De beurs sloot hoger.", "AMSTERDAM (ANP) - ", "De beurs sloot hoger."),
        ("AMSTERDAM/DEN HAAG - De beurs sloot.", "AMSTERDAM/THE HAGUE - ", "De beurs sloot."),
        ("DEN HAAG – Het kabinet valt.", "THE HAGUE - ", "Het kabinet valt."),
        ("Brussel (Belga) - De premier komt.", "Brussels (Belga) - ", "De premier komt."),
        ("Genève (ANP/AFP) — De VN komen bijeen.", "Geneva (ANP/AFP) - ", "De VN komen bijeen."),
        ("BERGEN OP ZOOM - „Wij gaan”, zei hij.", "BERGEN OP ZOOM - ", '"Wij gaan", zei hij.'),
        ("'S-GRAVENHAGE - Het is stil.", "THE HAGUE - ", "Het is stil."),
        ("ROME - Twaalf mensen kwamen.", "ROME - ", "Twaalf mensen kwamen."),
    ],
)
def test_a_dateline_is_kept_with_english_city_names(text: str, prefix: str, core: str) -> None:
    assert english(text) == (prefix, core, "")


def test_a_dateline_on_its_own_line_is_kept() -> None:
    assert english("DEN HAAG (ANP)", HEADING) == ("THE HAGUE (ANP)", "", "")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("PSV - Ajax 2-1", HEADING),
        ("Ajax - Feyenoord 2-1", HEADING),
        ("De wet - die in 2021 inging - wordt geëvalueerd.", PARAGRAPH),
        ("VVD - de grootste partij - wil dat niet.", PARAGRAPH),
        ("Rutte (VVD) - Wilders (PVV) was een fel debat.", PARAGRAPH),
        ("LET OP - De winkel is dicht.", PARAGRAPH),
        ("EXCLUSIEF - De minister stapt op.", PARAGRAPH),
        ("Hij (52) - Een buurman - kwam niet.", PARAGRAPH),
        ("AMSTERDAM", HEADING),
    ],
)
def test_other_dashes_are_no_dateline(text: str, kind: BlockKind) -> None:
    assert english(text, kind) == ("", text, "")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Door Jan de Vries en Anna Bakker", "By Jan de Vries and Anna Bakker"),
        ("Door Jan de Vries, Sophie in 't Veld", "By Jan de Vries, Sophie in 't Veld"),
        ("Door J.P. van ’t Hoff / ANP", "By J.P. van 't Hoff / ANP"),
        ("door Anne-Marie d'Ancona", "By Anne-Marie d'Ancona"),
        ("Door ANP", "By ANP"),
        ("Door: Jan de Vries en Anna Bakker", "By: Jan de Vries and Anna Bakker"),
        ("Door onze redactie", "By our editorial staff"),
        ("Van onze redacteur Jan de Vries", "From our editor Jan de Vries"),
        ("Van onze verslaggever", "From our reporter"),
        ("Van onze verslaggevers Jan Bos en Els Kok", "From our reporters Jan Bos and Els Kok"),
        ("Van onze parlementaire redactie", "From our parliamentary desk"),
        ("Van onze correspondent in Brussel", "From our correspondent in Brussels"),
        ("VAN ONZE SPORTREDACTIE", "FROM OUR SPORTS DESK"),
    ],
)
def test_a_byline_keeps_its_names(text: str, made: str) -> None:
    assert english(text, HEADING) == (made, "", "")


@pytest.mark.parametrize(
    "text",
    [
        "Door de storm vielen bomen om.",
        "Door Brexit minder handel",
        "Door Brexit",
        "Door Storm Eunice rijden geen treinen",
        "Door De Nederlandsche Bank",
        "Door Jan de Vries en zijn buurman",
        "Door Jan de Vries gemaakt",
        "Door: de storm",
        "DOOR STORM GEEN TREINEN",
        "Door",
        "Van onze buren Jan de Vries",
        "Van onze redacteur mag het niet",
        "Van Jan de Vries",
        "Doorn is mooi",
    ],
)
def test_an_ordinary_sentence_is_no_byline(text: str) -> None:
    assert english(text, HEADING) == ("", text, "")
    assert byline(text) is None


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Foto: ANP", "Photo: ANP"),
        ("Foto ANP", "Photo: ANP"),
        ("FOTO: ANP", "PHOTO: ANP"),
        ("© ANP", "© ANP"),
        ("© 2024 ANP / Jan de Vries", "© 2024 ANP / Jan de Vries"),
        ("Beeld: Jan de Vries", "Image: Jan de Vries"),
        ("(Foto: Jan de Vries)", "(Photo: Jan de Vries)"),
        ("Foto’s: Jan Bos en Els Kok", "Photos: Jan Bos and Els Kok"),
        ("Tekst en foto's: Els Kok", "Text and photos: Els Kok"),
        ("Foto: AFP via Getty Images", "Photo: AFP via Getty Images"),
        ("Bron: CBS", "Source: CBS"),
    ],
)
def test_a_credit_keeps_its_names(text: str, made: str) -> None:
    assert english(text, CAPTION) == (made, "", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("De brug bij Zwolle (foto: ANP).", ("", "De brug bij Zwolle", " (photo: ANP).")),
        ("De brug bij Zwolle. © ANP", ("", "De brug bij Zwolle.", " © ANP")),
        ("De brug [Foto: Jan Bos]", ("", "De brug", " [Photo: Jan Bos]")),
        ("Foto: de brug bij Zwolle", ("Photo: ", "de brug bij Zwolle", "")),
    ],
)
def test_the_words_of_a_caption_are_translated(text: str, expected: tuple[str, str, str]) -> None:
    assert english(text, CAPTION) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Foto Rutte leidt tot ophef",
        "Foto Rutte",
        "Beeld van de brug is terecht",
        "De brug (rechts) is oud.",
        "De brug bij Zwolle (rechts).",
        "Foto",
        "Bron van ergernis: het lawaai",
    ],
)
def test_an_ordinary_sentence_is_no_credit(text: str) -> None:
    assert english(text) == ("", text, "")
    assert credit(text) is None
    assert split_credit(text) == (text, "")


@pytest.mark.parametrize("dash", "-–—")
def test_a_dash_at_the_beginning_stays(dash: str) -> None:
    assert english(f"{dash} Ja, zei hij.") == ("- ", "Ja, zei hij.", "")


@pytest.mark.parametrize(
    ("text", "prefix", "core"),
    [
        ("20.45 uur – De brandweer rukt uit.", "20:45 - ", "De brandweer rukt uit."),
        ("14.32 uur De weg is dicht.", "14:32 ", "De weg is dicht."),
        ("14:32 - 120 mensen zijn weg.", "14:32 - ", "120 mensen zijn weg."),
        ("12.30 uur: Lunch", "12:30: ", "Lunch"),
        ("9.30 - 11.00 uur: Lezing", "9:30 - 11:00: ", "Lezing"),
        ("14.32 uur", "14:32", ""),
        ("Update 14.32 uur: De brand is uit.", "Update 14:32: ", "De brand is uit."),
        ("UPDATE: De brand is uit.", "UPDATE: ", "De brand is uit."),
        ("Lees ook: Brug te duur", "Read also: ", "Brug te duur"),
        ("LEES OOK: Brug te duur", "READ ALSO: ", "Brug te duur"),
        ("Lees ook", "Read also", ""),
        ("Bekijk ook: de brug", "See also: ", "de brug"),
        ("20.45 uur - DEN HAAG (ANP) - Er is brand.", "20:45 - THE HAGUE (ANP) - ", "Er is brand."),
    ],
)
def test_times_and_pointers_at_the_beginning(text: str, prefix: str, core: str) -> None:
    assert english(text) == (prefix, core, "")


@pytest.mark.parametrize(
    "text",
    [
        "14.32 uur is te laat.",
        "14:32 was het zover.",
        "12.50 euro kost het.",
        "12.50 Amerikaanse dollars",
        "Lees ook het boek: het is goed.",
        "Update van de minister",
        "25.61 uur - nee",
    ],
)
def test_other_numbers_and_words_at_the_beginning_are_translated(text: str) -> None:
    assert english(text) == ("", text, "")


@pytest.mark.parametrize(
    ("text", "made"), [("Opinie", "Opinion"), ("LIVEBLOG", "LIVE BLOG"), ("Live", "Live")]
)
def test_a_kicker_on_its_own_has_its_english_form(text: str, made: str) -> None:
    assert english(text, HEADING) == (made, "", "")


def test_a_word_in_a_paragraph_is_no_kicker() -> None:
    assert english("Nieuws") == ("", "Nieuws", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Wat een dag! 😀👍🏽 🇳🇱", ("", "Wat een dag!", " 😀👍🏽 🇳🇱")),
        ("🇳🇱 Oranje wint", ("🇳🇱 ", "Oranje wint", "")),
        ("🏳️‍🌈 Feest 🏳️‍🌈", ("🏳️‍🌈 ", "Feest", " 🏳️‍🌈")),
        ("1️⃣ Eerst dit", ("1️⃣ ", "Eerst dit", "")),
        ("😀", ("😀", "", "")),
        ("Lees ook: Brug te duur →", ("Read also: ", "Brug te duur", " →")),
    ],
)
def test_emoji_around_a_sentence_stay_whole(text: str, expected: tuple[str, str, str]) -> None:
    assert english(text) == expected


@pytest.mark.parametrize("text", ["Hij is 😀 blij.", "-3 graden", "50 % meer", "± 5 mensen"])
def test_other_signs_stay_in_the_sentence(text: str) -> None:
    assert english(text) == ("", text, "")


@given(ANY_TEXT | NEWSPAPER_LIKE, KINDS)
def test_what_is_translated_is_a_piece_of_the_sentence(text: str, kind: BlockKind) -> None:
    made = frame(text, kind)
    assert made.core in text
    assert frame(text, kind) == made
    if made.core == text:
        assert made == Frame("", text, "")


def signs(text: str) -> list[str]:
    """What is neither a word nor white space, and every capital name in small letters."""
    names = re.findall(r"jan de vries|anna bakker|anp|amsterdam|beurs|brug", text.lower())
    return sorted(names + re.findall(r"[^\w\s.:]", text))


@given(NEWSPAPER_LIKE.map(normalize), KINDS)
def test_every_name_and_sign_is_kept_and_none_is_added(text: str, kind: BlockKind) -> None:
    made = frame(text, kind)
    assert signs(made.prefix + made.core + made.suffix) == signs(text)


@given(NEWSPAPER_LIKE.map(normalize), KINDS)
def test_every_digit_is_kept(text: str, kind: BlockKind) -> None:
    made = frame(text, kind)
    whole = made.prefix + made.core + made.suffix
    assert re.findall("[0-9]", whole) == re.findall("[0-9]", text)


@pytest.mark.parametrize("table", [CREDITS, EXONYMS, KICKERS, POINTERS, ROLES])
def test_phrases_are_looked_up_in_small_letters(table: dict[str, str]) -> None:
    assert all(phrase == phrase.lower() for phrase in table)


@pytest.mark.parametrize("kind", [PARAGRAPH, HEADING, CAPTION])
@pytest.mark.parametrize("end", ["", "x"])
@pytest.mark.parametrize(
    "unit",
    [
        "A",
        "A ",
        "Door Jan Bos en ",
        "Foto: ",
        "(",
        "(Foto: ",
        "©",
        " - ",
        "AB/",
        "14:32 - ",
        "😀",
        "😀 ",
        "\ufe0f",
        "1️⃣",
        "Van onze ",
        "'",
        "A.",
        "en ",
        " ",
    ],
)
def test_hostile_text_takes_no_time(unit: str, end: str, kind: BlockKind) -> None:
    text = (unit * 100_000)[:100_000] + end
    start = time.process_time()
    core = frame(text, kind).core
    assert time.process_time() - start < 5
    assert core in text
