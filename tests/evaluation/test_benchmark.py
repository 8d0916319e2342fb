"""The benchmark's machinery on tiny models: the real engines, a real server, the whole table."""

import itertools
import json
from dataclasses import asdict
from pathlib import Path

import pytest
import sentencepiece

from service.errors import StartupError
from service.evaluation.benchmark import commands, models, report, server, summarization
from service.evaluation.benchmark.models import ARTICLE_TOKENS, SENTENCE_TOKENS
from service.evaluation.benchmark.speed import SpeedAmounts

AMOUNTS = commands.Amounts(
    speed=SpeedAmounts(
        rounds=2,
        single_sentences=1,
        client_articles=1,
        clients_articles=2,
        total_articles=0,
        starts=1,
    )
)


@pytest.fixture(scope="module")
def measured(prepared: models.Prepared) -> report.Report:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        results = commands.run_benchmark(prepared.cards_dir.parent, AMOUNTS, 2, parts=["speed"])
    assert results.speed is not None
    return results.speed


def test_every_contender_runs_in_every_round(measured: report.Report) -> None:
    assert list(measured.rates) == ["a", "a'", "b", "b'", "c'", "c", "d", "e", "f", "g"]
    for rate in measured.rates.values():
        assert len(rate.per_second) == AMOUNTS.speed.rounds
        assert min(rate.per_second) > 0
    assert {key: rate.beams for key, rate in measured.rates.items() if key in "adfg"} == {
        "a": 6,
        "d": 2,
        "f": 4,
        "g": 4,
    }
    assert len(measured.ready_seconds) == AMOUNTS.speed.starts
    assert measured.articles >= AMOUNTS.speed.rounds * (
        AMOUNTS.speed.client_articles + AMOUNTS.speed.clients_articles
    )


def test_the_report_is_a_table_and_json(measured: report.Report) -> None:
    table = report.format_report(measured)
    assert "| (f) transformers, one article | 4 | summaries | " in table
    assert "| summaries, CTranslate2 / transformers: (g) / (f) | " in table
    assert "share of the summary in one article's time" in table
    assert json.loads(json.dumps(asdict(measured)))["rates"]["g"]["unit"] == "summaries"


def test_models_are_made_once(
    prepared: models.Prepared, capsys: pytest.CaptureFixture[str]
) -> None:
    again = models.prepare(prepared.cards_dir.parent, 2)
    assert again == prepared
    assert capsys.readouterr().err == ""


def test_sentences_differ_and_have_as_many_tokens_as_is_said(prepared: models.Prepared) -> None:
    spm = prepared.translation / "hub" / "source.spm"
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(spm))
    sentences = list(itertools.islice(models.make_sentences(spm), 20))
    assert len(set(sentences)) == 20
    assert {len(tokenizer.encode(sentence)) + 1 for sentence in sentences} == {SENTENCE_TOKENS}


def test_the_article_has_as_many_tokens_as_is_said() -> None:
    article = models.make_article(lambda text: len(text) + 2)
    assert len(article) + 2 == ARTICLE_TOKENS


def test_summaries_of_another_length_are_no_comparison() -> None:
    with pytest.raises(StartupError, match="CTranslate2 made 50 tokens where 60 were due"):
        report.check_length("CTranslate2", 50, summarization.SUMMARY_TOKENS)


def test_ratios_are_medians_within_rounds_and_the_share_is_of_one_article() -> None:
    speeds = {"d": [40.0, 20.0, 40.0], "f": [0.1, 0.1, 0.2], "g": [0.5, 0.4, 0.5]}
    rates = {
        key: report.Rate(key, 1, "sentences", speeds.get(key, [1.0, 1.0, 1.0]))
        for key in ("a", "a'", "b", "b'", "c'", "c", "d", "e", "f", "g")
    }
    ratios = report.ratios(rates)
    assert ratios["summaries, CTranslate2 / transformers: (g) / (f)"] == pytest.approx(4)
    # 20 sentences at 40 a second take half a second, a summary at 0.5 a second takes two.
    share = ratios["share of the summary in one article's time: (g) after (d)"]
    assert share == pytest.approx(2 / 2.5)


def test_a_server_that_does_not_start_is_told_in_one_line() -> None:
    command = ["/bin/sh", "-c", "echo first >&2; echo it is broken >&2; exit 1", "sh"]
    with (
        pytest.raises(StartupError, match="did not become ready: it is broken") as caught,
        server.serve(command),
    ):
        pass
    assert "\n" not in caught.value.detail


def test_the_real_shapes_are_those_of_the_hub() -> None:
    marian, bart = models.REAL_SHAPES.marian, models.REAL_SHAPES.bart
    assert (marian["d_model"], marian["layers"], marian["vocab_size"]) == (512, 6, 67_028)
    assert (bart["d_model"], bart["ffn_dim"], bart["heads"]) == (1024, 4096, 16)
    assert (bart["encoder_layers"], bart["decoder_layers"]) == (12, 6)
    assert (bart["vocab_size"], bart["positions"]) == (50_264, 1024)


def test_the_command_writes_the_numbers_that_it_prints(
    measured: report.Report,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from service.cli import main

    results = commands.Results(report.setup(), speed=measured)
    monkeypatch.setattr(commands, "run_benchmark", lambda *_, **__: results)
    path = tmp_path / "bench.json"
    assert main(["bench", "speed", "--quick", "--json", str(path)]) == 0
    assert report.format_report(measured) in capsys.readouterr().out
    assert json.loads(path.read_text()) == asdict(results)


def test_what_can_not_be_done_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from service.cli import main

    monkeypatch.delattr(commands, "run_benchmark")
    assert main(["bench", "spead"]) == 1
    assert "no part spead" in capsys.readouterr().err
    for path in (tmp_path, tmp_path / "nowhere" / "bench.json"):
        assert main(["bench", "--json", str(path)]) == 1
        assert f"{path}: no file can be written there" in capsys.readouterr().err
    for rounds in ("0", "-1", "many"):
        with pytest.raises(SystemExit, match="2"):
            main(["bench", "--rounds", rounds])
