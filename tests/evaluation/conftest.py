"""The benchmark's models, tiny and made once."""

import pytest

from service.evaluation.benchmark import models

BENCHMARK_SHAPES = models.Shapes(
    marian={"d_model": 128, "layers": 1, "ffn_dim": 64, "heads": 8, "pieces": 7_000},
    bart={"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "ffn_dim": 32, "heads": 2},
)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> models.Prepared:
    return models.prepare(tmp_path_factory.mktemp("bench"), 2, BENCHMARK_SHAPES)
