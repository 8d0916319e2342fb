"""Fidelity: the guard's checks, counted over a file of sentences."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from service.article.formats.text import parse_text
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import InvalidRequest
from service.evaluation import commands
from service.evaluation.seeds import load_seeds
from service.translation import guard
from service.translation.documents import TranslatedDocument, Usage
from service.translation.faithful import TranslatedSentence

ROOT = Path(__file__).resolve().parents[2]
DUTCH = "Het kost 5 euro.\n\nZij komt vrijdag.\nHij komt niet.\nGoed zo.\n"
GOOD = "It costs 5 euros.\n\nShe is coming on Friday.\nHe is not coming.\nWell done.\n"
BAD = "It costs 6 dollars.\n\nShe is coming on Monday.\nHe is coming.\nWell done.\n"


class CopyingPipeline:
    """Translates nothing; every sentence is repaired, and all but the last are split."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def translate_texts(
        self, texts: Sequence[str], *, checkpoint: Any
    ) -> tuple[list[TranslatedDocument], tuple[()]]:
        documents = []
        for done, text in enumerate(texts):
            checkpoint(done, len(texts))
            document = parse_text(text)
            warnings = (ArticleWarning(WarningCode.REPAIRED, "loop"),)
            if done < len(texts) - 1:
                warnings += (ArticleWarning(WarningCode.HARD_SPLIT),)
            sentences = tuple(
                TranslatedSentence(sentence.text, None, warnings)  # type: ignore[arg-type]
                for sentence in document.sentences()
            )
            documents.append(TranslatedDocument(document, document, sentences, Usage()))
        self.texts += texts
        return documents, ()


def run(arguments: Sequence[str], pipeline: CopyingPipeline | None = None) -> int:
    """``kortom`` with these arguments; without a pipeline, none may be asked for."""

    def load(_options: argparse.Namespace) -> Any:
        assert pipeline is not None
        return pipeline

    parser = argparse.ArgumentParser()
    commands.add_parser(
        parser.add_subparsers(),
        load_pipeline=load,
        load_summarizer=load,
    )
    options = parser.parse_args(["eval", "fidelity", *arguments])
    return options.run(options)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    paths = {}
    for name, text in {"nl": DUTCH, "good": GOOD, "bad": BAD}.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        paths[name] = str(path)
    return paths


def test_given_translations_are_judged_without_a_model(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--set", files["nl"], "--hypotheses", files["bad"], "--reference", files["good"]]
    assert run([*arguments, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sentences"] == 4
    checks = report["hypotheses"]["checks"]
    assert set(checks) == set(guard.CODES)
    assert checks["number_mismatch"] == {"severity": "hard", "sentences": 1, "share": 0.25}
    assert checks["negation_missing"] == {"severity": "soft", "sentences": 1, "share": 0.25}
    assert report["hypotheses"]["hard"] == {"sentences": 2, "share": 0.5}
    assert report["hypotheses"]["soft"] == {"sentences": 1, "share": 0.25}
    assert report["hypotheses"]["any"] == {"sentences": 3, "share": 0.75}
    assert report["reference"]["any"] == {"sentences": 0, "share": 0.0}


def test_the_table_has_a_row_for_every_check_and_a_column_for_the_reference(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["--set", files["nl"], "--hypotheses", files["bad"], "--reference", files["good"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "4 sentences"
    assert "| currency_mismatch | hard | 1 | 25.00 % | 0.00 % |" in lines
    assert lines[-3:] == [
        "| **hard** |  | 2 | 50.00 % | 0.00 % |",
        "| **soft** |  | 1 | 25.00 % | 0.00 % |",
        "| **any** |  | 3 | 75.00 % | 0.00 % |",
    ]
    assert len({line.count("|") for line in lines[2:]}) == 1
    run(["--set", files["nl"], "--hypotheses", files["bad"]])
    assert "| **hard** |  | 2 | 50.00 % |" in capsys.readouterr().out.splitlines()


def test_examples_show_the_evidence_and_both_sides(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["--set", files["nl"], "--hypotheses", files["bad"], "--examples", "1"])
    shown = capsys.readouterr().out
    assert "number_mismatch: 5 -> 6\n  nl: Het kost 5 euro.\n  en: It costs 6 dollars.\n" in shown
    assert "length_ratio:" not in shown


def test_without_hypotheses_the_model_translates_and_its_warnings_count(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = CopyingPipeline()
    assert run(["--set", files["nl"], "--json"], pipeline) == 0
    assert pipeline.texts == [line for line in DUTCH.splitlines() if line]
    report = json.loads(capsys.readouterr().out)
    assert report["hypotheses"]["checks"]["hard_split"]["sentences"] == 3
    assert report["hypotheses"]["checks"]["repaired"]["sentences"] == 4
    assert report["hypotheses"]["checks"]["repaired"]["severity"] == "notice"
    assert report["hypotheses"]["hard"]["sentences"] == 0
    assert report["hypotheses"]["any"]["sentences"] == 3  # a notice is no fault
    assert "reference" not in report


def test_in_a_checkout_the_seeds_are_the_set_and_their_own_reference(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    pipeline = CopyingPipeline()
    assert run(["--json"], pipeline) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sentences"] == sum(1 for a in load_seeds(ROOT / "seeds") for _ in a.pairs())
    assert report["reference"]["hard"]["sentences"] == 0


def test_elsewhere_a_set_must_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match="--set"):
        run([])
    monkeypatch.chdir(ROOT)
    with pytest.raises(InvalidRequest, match="--set"):
        run(["--hypotheses", files["bad"]])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"One line.\n", "has 1 lines"),
        (b"\xff\n", "not UTF-8 at byte 0"),
        (None, "No such file"),
    ],
)
def test_a_file_that_does_not_fit_is_told_in_one_line(
    data: bytes | None, said: str, files: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "other"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InvalidRequest, match=said) as caught:
        run(["--set", files["nl"], "--hypotheses", str(path)])
    assert "\n" not in caught.value.detail


def test_a_set_without_a_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nl").write_text("\n \n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="no lines"):
        run(["--set", str(tmp_path / "nl")])


def test_windows_line_ends_and_a_byte_order_mark_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "nl").write_bytes("\ufeffGoed zo.\r\nJa.".encode())
    (tmp_path / "en").write_bytes(b"Well done.\r\nYes.\r\n")
    pipeline = CopyingPipeline()
    run(["--set", str(tmp_path / "nl"), "--reference", str(tmp_path / "en")], pipeline)
    assert pipeline.texts == ["Goed zo.", "Ja."]


def test_no_more_examples_are_shown_than_asked_for(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["--set", files["nl"], "--examples", "2"], CopyingPipeline())
    shown = capsys.readouterr().out
    assert shown.count("hard_split:") == shown.count("repaired: loop") == 2
