"""The benchmark's clients, loads and soak, on a tiny model behind a real server process."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sentencepiece

from service.errors import StartupError
from service.evaluation.benchmark import (
    clients,
    commands,
    company,
    direct,
    libretranslate,
    load,
    memory,
    models,
    overload,
    soak,
)

if TYPE_CHECKING:
    from loopback import Client

AMOUNTS = commands.Amounts(
    load=load.LoadAmounts(rounds=2, clients=(1, 4), seconds=0.1, longest_seconds=2.0, streams=1),
    company=company.CompanyAmounts(rounds=1, sentences=16, clients=8),
    overload=overload.OverloadAmounts(seconds=1.0, capacity_seconds=0.3),
    soak_articles=20,
)


@pytest.fixture(scope="module")
def results(prepared: models.Prepared) -> commands.Results:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        return commands.run_benchmark(
            prepared.cards_dir.parent,
            AMOUNTS,
            2,
            parts=["load", "company", "overload", "soak"],
        )


def sources(prepared: models.Prepared, tokens: tuple[int, int]) -> Iterator[str]:
    return models.make_sentences(prepared.translation / "hub" / "source.spm", tokens=tokens)


def test_a_translation_is_as_long_as_its_source_without_a_limit(prepared: models.Prepared) -> None:
    texts = list(itertools.islice(sources(prepared, (31, 31)), 8))
    with direct.Direct(prepared.translation, 2, inter_threads=1, intra_threads=1) as process:
        _, tokens = process.translate(texts)
    assert tokens == pytest.approx(8 * 30, rel=0.02)


def test_every_contender_runs_under_every_load(results: commands.Results) -> None:
    assert results.load is not None
    ran = {(cell.contender, cell.kind, cell.clients) for cell in results.load.cells}
    for name, count in itertools.product((load.SERVICE, load.DIRECT), (1, 4)):
        assert (name, "sentence", count) in ran
    assert (load.ONE_AT_A_TIME, "sentence", 1) in ran
    assert (load.BATCHED, "article", 1) in ran
    assert not any(name == load.LIBRETRANSLATE for name, _, _ in ran)
    for cell in results.load.cells:
        assert len(cell.runs) == 2
        for run in cell.runs:
            assert len(run.latencies) >= cell.clients
            assert run.sentences == len(run.latencies) * load.SENTENCES[cell.kind]
            assert run.peak_mb is None or run.peak_mb > 10


def test_what_is_wanted_is_told_with_what_was_measured(results: commands.Results) -> None:
    assert results.load is not None
    goals = {what: values for what, _, values in load.goals(results.load)}
    assert len(goals["articles, 1 clients: service / CTranslate2 directly"]) == 2
    assert len(goals["articles, 4 clients: service / CTranslate2 directly"]) == 2
    assert len(goals["one sentence, one client: p50 above CTranslate2's, ms"]) == 2
    [share] = goals["first of 20 blocks: share of the stream's time"]
    assert 0 < share <= 1
    assert not any("LibreTranslate" in what for what in goals)


def test_ratios_are_within_a_round() -> None:
    def cell(name: str, *rates: int) -> load.Cell:
        return load.Cell(name, "sentence", 16, [clients.Run(1, rate) for rate in rates])

    report = load.LoadReport([cell(load.SERVICE, 60, 30), cell(load.LIBRETRANSLATE, 20, 15)])
    assert load.goals(report) == [
        ("one-sentence requests, 16 clients: service / LibreTranslate", ">= 2", [3, 2])
    ]


def test_no_answer_changes_with_its_company(results: commands.Results) -> None:
    assert results.company is not None
    assert results.company.compared == 16
    assert results.company.changed[company.BY_CLASS] == 0
    assert results.company.changed[company.ALONE] == 0
    assert results.company.service_changed == 0
    assert all(len(seconds) == 3 for seconds in results.company.threads.values())


def test_overload_is_answered_as_documented(results: commands.Results) -> None:
    assert results.overload is not None
    assert set(results.overload.statuses) <= {200, 503, 504}
    assert results.overload.statuses[200] > 0


def test_the_soak_reads_memory_all_the_way(results: commands.Results) -> None:
    assert results.soak is not None
    assert [articles for articles, _ in results.soak.curve] == list(range(1, 21))
    assert results.soak.sentences >= 20


def test_growth_is_counted_from_a_tenth_of_the_articles_on() -> None:
    curve = [(50, 300.0), (100, 400.0), (500, 430.0), (1_000, 440.0)]
    assert soak.growth_mb(soak.SoakReport(curve)) == 40
    assert soak.growth_mb(soak.SoakReport()) is None


def test_all_tables_and_json_are_written(results: commands.Results) -> None:
    tables = commands.format_results(results)
    for heading in ("| peak MB |", "| changed by company |", "| overload: 5 times the capacity"):
        assert heading in tables
    assert "growth after a tenth" in tables
    assert json.loads(json.dumps(asdict(results)))["speed"] is None


def test_a_contender_too_slow_for_many_clients_is_left_out() -> None:
    report = load.LoadReport()
    report.cells.append(load.Cell("slow", "sentence", 1, [clients.Run(2.0, 1)]))
    report.cells.append(load.Cell("slow", "sentence", 16))
    # 16 sentences at half a sentence a second.
    assert load._expected_seconds(report, report.cells[1]) == 32


def test_an_answer_that_is_no_stream_is_told(server: "Client") -> None:
    with pytest.raises(StartupError, match=r"answered 4\d\d without an event"):
        load.first_block_share(server.port, itertools.repeat(""))


def test_an_answer_that_is_not_200_stops_the_benchmark() -> None:
    with pytest.raises(StartupError, match="a server answered 503"):
        clients.Answer(503, 0.1, 1, b"busy").json()


def test_percentiles_are_of_the_nearest_rank() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [clients.percentile(values, percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert clients.percentile([3.0], 99) == 3.0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux' /proc")
def test_memory_counts_the_processes_that_a_process_started() -> None:
    child = "held = bytearray(60_000_000); print(1, flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert (memory.resident_mb(process.pid) or 0) > 60
    assert (memory.peak_mb(process.pid) or 0) > 60
    process.communicate("\n", timeout=60)


def test_an_argos_package_reads_sources_as_the_model_does(
    prepared: models.Prepared, tmp_path: Path
) -> None:
    package = tmp_path / "translate-nl_en"
    libretranslate.write_package(prepared.translation, package)
    model = prepared.translation
    assert (package / "model" / "model.bin").read_bytes() == (
        model / "ctranslate2" / "model.bin"
    ).read_bytes()
    assert json.loads((package / "model" / "config.json").read_text())["add_source_eos"] is True
    assert json.loads((package / "metadata.json").read_text())["from_code"] == "nl"
    joint = sentencepiece.SentencePieceProcessor(model_file=str(package / "sentencepiece.model"))
    own = sentencepiece.SentencePieceProcessor(model_file=str(model / "hub" / "source.spm"))
    for text in itertools.islice(sources(prepared, (10, 40)), 20):
        assert joint.encode(text, out_type=str) == own.encode(text, out_type=str)
    target = sentencepiece.SentencePieceProcessor(model_file=str(model / "hub" / "target.spm"))
    assert joint.piece_to_id(target.id_to_piece(6_000)) != joint.unk_id()
