"""Scores of bullets: real ROUGE on tiny articles, any summarizer through its protocol."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from service.article.document import Document
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import InvalidRequest, StartupError
from service.evaluation import commands
from service.evaluation.parallel import read_seeds
from service.evaluation.summary import read_seed_articles
from service.summarization.summarizer import Bullet

ROOT = Path(__file__).resolve().parents[2]
TEXT = "The town builds a bridge. It opens in May next year. The old ferry then stops for good."
ROWS = [
    {"text": TEXT, "summary": ["The town builds a bridge.", "The ferry stops."], "id": 1},
    {"text": "Rain falls all day in the north.", "summary": ["It rains."]},
]


class FakeSummarizer:
    """Writes the same bullets of every article."""

    method = "abstractive"
    engine = "fake"

    def __init__(self, *bullets: Bullet) -> None:
        self.documents: list[Document] = []
        self.wanted: set[int] = set()
        self._bullets = bullets

    def summarize(
        self,
        document: Document,
        bullets: int,
        *,
        max_words: int | None = None,  # noqa: ARG002 - the protocol's
        checkpoint: Callable[[], None] = lambda: None,
    ) -> list[Bullet]:
        checkpoint()
        self.documents.append(document)
        self.wanted.add(bullets)
        return list(self._bullets)


def bullet(text: str, support: float = 1.0, *codes: WarningCode) -> Bullet:
    return Bullet(text, ("s1",), support, tuple(ArticleWarning(code) for code in codes))


def run(arguments: Sequence[str], summarizer: Any = None) -> int:
    """``kortom eval summary``; without a summarizer, none may be asked for."""

    def load(_options: argparse.Namespace) -> Any:
        assert summarizer is not None
        return summarizer

    parser = argparse.ArgumentParser()
    commands.add_parser(
        parser.add_subparsers(),
        load_pipeline=load,
        load_summarizer=load,
    )
    options = parser.parse_args(["eval", "summary", *arguments])
    return options.run(options)


@pytest.fixture
def articles(tmp_path: Path) -> str:
    path = tmp_path / "set.jsonl"
    path.write_text("\n\n".join(json.dumps(row) for row in ROWS) + "\n", encoding="utf-8")
    return str(path)


def test_rouge_is_the_mean_f1_with_stems_and_a_line_a_bullet(
    articles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # "rains" and "rain" have one stem, so that the second article has one of two words right.
    served = FakeSummarizer(bullet("The ferry stops."), bullet("The town rain builds a bridge."))
    assert run(["--set", articles, "--json"], served) == 0
    report = json.loads(capsys.readouterr().out)
    rouge = report["summaries"]["served"]["rouge"]
    # Article 1: 8 words of 9 written and 8 wanted; pairs without the line ends: "the ferry",
    # "ferry stops", "the town", "builds a", "a bridge" of 8 written and 7 wanted.
    # Article 2: "rain" of 9 written and 2 wanted.
    assert rouge["rouge1"] == pytest.approx(100 * (2 * 8 / 17 + 2 * 1 / 11) / 2)
    assert rouge["rouge2"] == pytest.approx(100 * (2 * 5 / 15) / 2)
    # Line by line the order of the bullets does not matter.
    assert rouge["rougeLsum"] == pytest.approx(rouge["rouge1"])
    assert served.wanted == {3}
    assert report["articles"] == 2
    assert report["served"] == {"method": "abstractive", "engine": "fake"}
    assert report["metric"] == "rouge-score 0.1.2, use_stemmer, F1"


def test_lead_and_the_extractive_summarizer_stand_beside_it(
    articles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served = FakeSummarizer()
    assert run(["--set", articles, "--bullets", "1", "--json"], served) == 0
    report = json.loads(capsys.readouterr().out)
    assert list(report["summaries"]) == ["served", "lead-1", "extractive"]
    lead = report["summaries"]["lead-1"]
    # 5 words of 5 written and 8 wanted; of the second article "rain" of 7 written and 2 wanted.
    assert lead["rouge"]["rouge1"] == pytest.approx(100 * (2 * 5 / 13 + 2 * 1 / 9) / 2)
    assert (lead["bullets"], lead["support"], lead["warnings"]) == (2, 1.0, {})
    assert report["summaries"]["extractive"]["bullets"] == 2
    nothing = report["summaries"]["served"]
    assert nothing["rouge"] == {"rouge1": 0, "rouge2": 0, "rougeLsum": 0}
    assert (nothing["bullets"], nothing["support"]) == (0, None)
    assert nothing["hard"] == {"bullets": 0, "per_100_bullets": 0}


def test_support_and_warnings_are_those_that_the_bullets_carry(
    articles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served = FakeSummarizer(
        bullet("One.", 0.25, WarningCode.NUMBER_MISMATCH, WarningCode.NAME_MISMATCH),
        bullet("Two.", 0.75, WarningCode.SOURCE_ELSEWHERE),
        bullet("Three.", 1.0, WarningCode.BULLET_REPLACED),
        bullet("Four.", 1.0),
    )
    run(["--set", articles, "--json"], served)
    found = json.loads(capsys.readouterr().out)["summaries"]["served"]
    assert found["bullets"] == 8
    assert found["support"] == pytest.approx(0.75)
    assert found["warnings"] == {
        "number_mismatch": {"severity": "hard", "bullets": 2, "per_100_bullets": 25},
        "name_mismatch": {"severity": "hard", "bullets": 2, "per_100_bullets": 25},
        "source_elsewhere": {"severity": "soft", "bullets": 2, "per_100_bullets": 25},
        "bullet_replaced": {"severity": "notice", "bullets": 2, "per_100_bullets": 25},
    }
    assert found["hard"] == {"bullets": 2, "per_100_bullets": 25}
    assert found["soft"] == {"bullets": 2, "per_100_bullets": 25}


def test_bullets_that_a_model_wrote_are_told_from_those_of_the_article(
    articles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that writes nothing of use must not pass for a good one."""
    written = dataclasses.replace(bullet("One.", 0.5), written=True)
    served = FakeSummarizer(written, bullet("The town builds a bridge."))
    run(["--set", articles, "--json"], served)
    found = json.loads(capsys.readouterr().out)["summaries"]
    assert found["served"]["written"] == {"bullets": 2, "per_100_bullets": 50}
    assert found["lead-3"]["written"] == {"bullets": 0, "per_100_bullets": 0}
    run(["--set", articles], served)
    assert "| written by a model | 50.0 | 0.0 | 0.0 |" in capsys.readouterr().out.splitlines()


def test_people_get_a_table_with_a_column_a_method(
    articles: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["--set", articles], FakeSummarizer(bullet("One.", 0.5, WarningCode.UNSUPPORTED)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("2 articles; rouge-score ")
    assert "| | served | lead-3 | extractive |" in lines
    assert any(line.startswith("| ROUGE-Lsum | ") for line in lines)
    assert "| support | 0.500 | 1.000 | 1.000 |" in lines
    assert "| unsupported (hard) | 100.0 | 0.0 | 0.0 |" in lines
    assert "| any hard warning | 100.0 | 0.0 | 0.0 |" in lines
    assert len({line.count("|") for line in lines[2:]}) == 1


def test_the_seeds_are_summed_up_in_english(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    served = FakeSummarizer()
    assert run(["--json"], served) == 0
    report = json.loads(capsys.readouterr().out)
    seeds = read_seeds(ROOT / "seeds")
    assert report["articles"] == len(seeds)
    for seed, document in zip(seeds, served.documents, strict=True):
        assert [sentence.text for sentence in document.sentences()] == seed.references()
    # They begin with what matters: lead has much of each reference.
    assert report["summaries"]["lead-3"]["rouge"]["rouge1"] > 40
    assert [article.bullets for article in read_seed_articles(ROOT / "seeds")] == [
        seed.bullets for seed in seeds
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", ":2: not JSON"),
        ("[" * 100_000, ":2: not JSON"),
        ('["text"]', ":2: not a JSON object"),
        ('{"summary": ["One."]}', ":2: text: "),
        ('{"text": " ", "summary": ["One."]}', ":2: text: "),
        ('{"text": "One."}', ":2: summary: "),
        ('{"text": "One.", "summary": "One."}', ":2: summary: "),
        ('{"text": "One.", "summary": []}', ":2: summary: "),
        ('{"text": "One.", "summary": [""]}', ":2: summary: "),
        ('{"text": "One.", "summary": [1]}', ":2: summary: "),
    ],
)
def test_a_line_that_is_no_article_is_named(line: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(f"{json.dumps(ROWS[0])}\n{line}\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match=said) as caught:
        run(["--set", str(path)])
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(("data", "said"), [(b" \n", "no articles"), (None, "No such file")])
def test_a_set_without_articles_is_refused(data: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InvalidRequest, match=said):
        run(["--set", str(path)])


def test_seeds_that_are_not_there_or_do_not_fit_are_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="no seed articles"):
        run(["--seeds", str(tmp_path)])
    (tmp_path / "a.nl.txt").write_text("Een zin. Nog een zin.\n", encoding="utf-8")
    (tmp_path / "a.pairs.txt").write_text(
        "kind: paragraph\nnl: Een zin.\nen: A sentence.\n\nbullet: A sentence.\n", encoding="utf-8"
    )
    with pytest.raises(InvalidRequest, match=": a: 1 targets for 2 sentences"):
        run(["--seeds", str(tmp_path)])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match="--set FILE"):
        run([])


def test_without_the_extra_it_is_named_before_a_model_is_loaded(
    articles: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "rouge_score"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rouge_score", None)
    with pytest.raises(StartupError, match=r"install kortom\[evaluation\]"):
        run(["--set", articles])
