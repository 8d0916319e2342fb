"""Scores of translations: real sacreBLEU on tiny sets, and COMET as a program beside it."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from service.article.formats.text import parse_text
from service.errors import InvalidRequest, ServiceError, StartupError
from service.evaluation import commands
from service.evaluation.seeds import load_seeds
from service.translation.documents import TranslatedDocument, Usage

ROOT = Path(__file__).resolve().parents[2]
DUTCH = "De kat zat op de mat.\n\nHet regent.\n"
GOOD = "The cat sat on the mat.\n\nIt is raining.\n"
FAIR = "The cat sat on a mat.\n\nIt is raining.\n"


class DictionaryPipeline:
    """Translates the sentences that it has been told."""

    def __init__(self, translations: dict[str, str]) -> None:
        self._translations = translations

    def translate_texts(
        self, texts: Sequence[str], *, checkpoint: Any
    ) -> tuple[list[TranslatedDocument], tuple[()]]:
        checkpoint(len(texts), len(texts))
        sources = map(parse_text, texts)
        return [
            TranslatedDocument(source, source.render([self._translations[text]]), (), Usage())
            for source, text in zip(sources, texts, strict=True)
        ], ()


def run(arguments: Sequence[str], pipeline: Any = None) -> int:
    """``kortom eval translation``; without a pipeline, none may be asked for."""

    def load(_options: argparse.Namespace) -> Any:
        assert pipeline is not None
        return pipeline

    parser = argparse.ArgumentParser()
    commands.add_parser(
        parser.add_subparsers(),
        load_pipeline=load,
        load_summarizer=load,
    )
    options = parser.parse_args(["eval", "translation", *arguments])
    return options.run(options)


@pytest.fixture(autouse=True)
def no_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    paths = {}
    for name, text in {"nl": DUTCH, "good": GOOD, "fair": FAIR}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        paths[name] = str(tmp_path / name)
    return paths


@pytest.fixture
def fair(files: dict[str, str]) -> list[str]:
    return ["--set", files["nl"], "--reference", files["good"], "--hypotheses", files["fair"]]


def test_given_translations_get_bleu_and_chrf_with_their_signatures(
    fair: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*fair, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {"sentences", "bleu", "chrf2", "comet"}
    assert report["sentences"] == 2
    # By hand: 10 of 11 words, 7 of 9 pairs, 4 of 7 triples and 2 of 5 runs of four are right.
    assert report["bleu"]["score"] == pytest.approx(100 * (10 / 11 * 7 / 9 * 4 / 7 * 2 / 5) ** 0.25)
    assert re.fullmatch(
        r"nrefs:1\|case:mixed\|eff:no\|tok:13a\|smooth:exp\|version:[0-9.]+",
        report["bleu"]["signature"],
    )
    assert 50 < report["chrf2"]["score"] < 100
    assert re.fullmatch(
        r"nrefs:1\|case:mixed\|eff:yes\|nc:6\|nw:0\|space:no\|version:[0-9.]+",
        report["chrf2"]["signature"],
    )
    assert report["comet"] == {"score": None, "reason": "not installed"}


def test_people_get_one_line_a_metric(
    files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(["--set", files["nl"], "--reference", files["good"], "--hypotheses", files["good"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 sentences"
    assert lines[2].startswith("BLEU    100.00  nrefs:1|case:mixed|")
    assert lines[3].startswith("chrF2   100.00  nrefs:1|case:mixed|")
    assert lines[4] == "COMET        -  not installed"


def test_without_hypotheses_the_model_translates_and_its_lines_can_be_kept(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = DictionaryPipeline(
        {"De kat zat op de mat.": "The cat sat on the mat.", "Het regent.": "It is  raining."}
    )
    kept = tmp_path / "kept.en"
    arguments = ["--set", files["nl"], "--reference", files["good"], "--output", str(kept)]
    assert run([*arguments, "--json"], pipeline) == 0
    assert json.loads(capsys.readouterr().out)["bleu"]["score"] == pytest.approx(100)
    assert kept.read_text(encoding="utf-8") == "The cat sat on the mat.\nIt is raining.\n"


def test_an_output_that_can_not_be_written_is_said_before_a_model_works(
    files: dict[str, str], tmp_path: Path
) -> None:
    for output in (tmp_path, tmp_path / "nowhere" / "kept.en"):
        with pytest.raises(InvalidRequest, match=f"^{re.escape(str(output))}: "):
            run(["--set", files["nl"], "--reference", files["good"], "--output", str(output)])


def test_a_file_that_is_read_is_not_written(files: dict[str, str]) -> None:
    for read in ("nl", "good"):
        before = Path(files[read]).read_bytes()
        with pytest.raises(InvalidRequest, match="this file is read"):
            run(["--set", files["nl"], "--reference", files["good"], "--output", files[read]])
        assert Path(files[read]).read_bytes() == before


def test_a_model_that_can_not_be_loaded_leaves_no_output(
    files: dict[str, str], tmp_path: Path
) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(AssertionError):  # there is no pipeline
        run(["--set", files["nl"], "--reference", files["good"], "--output", str(tmp_path / "x")])
    assert set(tmp_path.iterdir()) == before


def test_in_a_checkout_the_seeds_are_the_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    pairs = [pair for article in load_seeds(ROOT / "seeds") for pair in article.pairs()]

    class Reference:
        def translate_texts(self, texts: Sequence[str], *, checkpoint: Any) -> Any:
            documents = [parse_text(text) for text in texts]
            checkpoint(len(texts), len(texts))
            return [
                TranslatedDocument(
                    document,
                    # As many sentences as the parser sees in the line alone.
                    document.render([english, *[""] * (sum(1 for _ in document.sentences()) - 1)]),
                    (),
                    Usage(),
                )
                for document, (_, english) in zip(documents, pairs, strict=True)
            ], ()

    assert run(["--json"], Reference()) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sentences"] == len(pairs)
    assert report["chrf2"]["score"] > 99


@pytest.mark.parametrize(
    ("replaced", "data", "said"),
    [
        ("--reference", b"One line.\n", "has 1 lines, .* has 3"),
        ("--hypotheses", b"One line.\n", "has 1 lines, .* has 3"),
        ("--reference", b"\xff\n", "not UTF-8 at byte 0"),
        ("--set", None, "No such file"),
        ("--reference", None, "No such file"),
        ("--hypotheses", None, "No such file"),
    ],
)
def test_a_file_that_does_not_fit_is_told_in_one_line(
    replaced: str, data: bytes | None, said: str, fair: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "other"
    if data is not None:
        path.write_bytes(data)
    fair[fair.index(replaced) + 1] = str(path)
    with pytest.raises(InvalidRequest, match=said) as caught:
        run(fair)
    assert "\n" not in caught.value.detail


def test_a_set_needs_a_reference_and_elsewhere_a_name(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest, match="--reference FILE"):
        run(["--set", files["nl"]])
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match="--set FILE"):
        run([])


def test_without_the_extra_it_is_named_before_a_model_is_loaded(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sacrebleu"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(StartupError, match=r"install kortom\[evaluation\]"):
        run(["--set", files["nl"], "--reference", files["good"]])


def comet(directory: Path, body: str) -> Path:
    """A program in comet-score's place; fake: the real one has its own environment."""
    program = directory / "comet-score"
    program.write_text(f"#!{sys.executable}\nimport os, sys\n{body}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    (tmp_path / "model.ckpt").write_bytes(b"")
    return str(tmp_path / "model.ckpt")


def test_comet_scores_the_same_lines_without_a_network(
    fair: list[str],
    checkpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    body = """
assert os.environ["HF_HUB_OFFLINE"] == "1"
flags = dict(zip(sys.argv[3::2], sys.argv[4::2]))
read = lambda flag: open(flags[flag], encoding="utf-8").read().splitlines()
assert read("-s") == ["De kat zat op de mat.", "Het regent."], sys.argv
assert read("-t") == ["The cat sat on a mat.", "It is raining."]
assert read("-r") == ["The cat sat on the mat.", "It is raining."]
assert flags["--model"].endswith("model.ckpt")
print("Seed set to 1")
print(flags["-t"] + "\\tscore: 0.8615")
"""
    comet(tmp_path, body)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run([*fair, "--comet", checkpoint, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["comet"] == {"score": 0.8615, "signature": f"model:{checkpoint}"}
    run([*fair, "--comet", checkpoint])
    assert f"COMET   0.8615  model:{checkpoint}" in capsys.readouterr().out
    run(fair)
    assert "COMET        -  needs --comet FILE.ckpt" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("sys.exit('Traceback …\\nKeyError: no encoder')", "failed: KeyError: no encoder"),
        ("print('nothing said')", "failed: nothing said"),
        ("print('score: nan')", "failed: score: nan"),
        ("print('score: 0.5')\nsys.exit('out of memory')", "failed: out of memory"),
    ],
)
def test_comet_that_fails_is_one_line(
    body: str,
    said: str,
    fair: list[str],
    checkpoint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    comet(tmp_path, body)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartupError, match=said) as caught:
        run([*fair, "--comet", checkpoint])
    assert "\n" not in caught.value.detail


def test_comet_that_can_not_run_is_told_before_a_model_is_loaded(
    files: dict[str, str], checkpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--set", files["nl"], "--reference", files["good"], "--comet"]
    with pytest.raises(ServiceError, match="COMET is not installed"):
        run([*arguments, checkpoint])
    comet(tmp_path, "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServiceError, match=r"other\.ckpt: no such file"):
        run([*arguments, str(tmp_path / "other.ckpt")])
