"""What translates in the benchmark: transformers, bare CTranslate2 and the service."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from service.evaluation.benchmark.clients import CLIENTS, Service
from service.evaluation.benchmark.models import ARTICLE_SENTENCES, SENTENCE_TOKENS
from service.evaluation.benchmark.report import Contender, check_length
from service.machine import usable_cores

HUB_BEAMS = 6
"""``num_beams`` in generation_config.json of Helsinki-NLP/opus-mt-nl-en."""

TORCH_BATCH = 16


def translation_contenders(
    directory: Path,
    sentences: Iterator[str],
    service: Service,
    beams: int,
    *,
    single_sentences: int,
    client_articles: int,
    clients_articles: int,
) -> dict[str, Contender]:
    """Everything that translates, by its letter in the table, warmed up, in the order of running:
    (c) just before (d), because their ratio is the finest.

    Args:
        directory: the translation model.
        sentences: where sources are made from.
        service: the clients of a running server.
        beams: of the service, and of the contenders that are compared with it.
        single_sentences: sentences for transformers one at a time, in one run.
        client_articles: articles for the service with one client, in one run.
        clients_articles: articles for the service with all clients together, in one run.
    """
    torch_generate = _load_transformers(directory / "hub")
    ct2_translate = _load_ctranslate2(directory, beams)
    single = list(itertools.islice(sentences, single_sentences))
    batch = list(itertools.islice(sentences, TORCH_BATCH))
    article = list(itertools.islice(sentences, ARTICLE_SENTENCES))
    torch_generate(single[:1], 1)
    ct2_translate(article, True)
    service.translate(CLIENTS, CLIENTS)

    def one_at_a_time(num_beams: int) -> Contender:
        return Contender(
            "transformers, one sentence at a time",
            num_beams,
            "sentences",
            len(single),
            lambda: [torch_generate([sentence], num_beams) for sentence in single],
        )

    def in_batches(num_beams: int) -> Contender:
        return Contender(
            f"transformers, batches of {TORCH_BATCH}",
            num_beams,
            "sentences",
            TORCH_BATCH,
            lambda: torch_generate(batch, num_beams),
        )

    def bare(label: str, use_vmap: bool) -> Contender:
        return Contender(
            label,
            beams,
            "sentences",
            client_articles * len(article),
            lambda: [ct2_translate(article, use_vmap) for _ in range(client_articles)],
        )

    def served(label: str, clients: int, articles: int) -> Contender:
        return Contender(
            label,
            beams,
            "sentences",
            articles * ARTICLE_SENTENCES,
            lambda: service.translate(clients, articles),
        )

    return {
        "a": one_at_a_time(HUB_BEAMS),
        "a'": one_at_a_time(beams),
        "b": in_batches(HUB_BEAMS),
        "b'": in_batches(beams),
        "c'": bare("CTranslate2 int8, one batch, without vocabulary map", False),
        "c": bare("CTranslate2 int8, one batch", True),
        "d": served("service, 1 client", 1, client_articles),
        "e": served(f"service, {CLIENTS} clients", CLIENTS, clients_articles),
    }


def _load_transformers(hub: Path) -> Callable[[Sequence[str], int], None]:
    """``generate(sentences, num_beams)`` as a user of transformers writes it, float32."""
    import warnings

    import torch
    import transformers

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        tokenizer: Any = transformers.MarianTokenizer.from_pretrained(hub)
    model: Any = transformers.MarianMTModel.from_pretrained(hub, dtype=torch.float32)

    def generate(sentences: Sequence[str], num_beams: int) -> None:
        inputs = tokenizer(list(sentences), return_tensors="pt", padding=True)
        with torch.inference_mode():
            output = model.generate(**inputs, num_beams=num_beams)
        # The decoder's start token comes first.
        check_length("transformers", output.shape[1] - 1, SENTENCE_TOKENS)
        tokenizer.batch_decode(output, skip_special_tokens=True)

    return generate


def _load_ctranslate2(directory: Path, beams: int) -> Callable[[Sequence[str], bool], None]:
    """``translate(sentences, use_vmap)``: one batch on all cores."""
    import ctranslate2

    from service.translation.tokenizer import SentencePieceTokenizer

    tokenizer = SentencePieceTokenizer(directory / "hub")
    translator = ctranslate2.Translator(
        str(directory / "ctranslate2"),
        device="cpu",
        compute_type="int8",
        inter_threads=1,
        intra_threads=usable_cores(),
    )

    def translate(sentences: Sequence[str], use_vmap: bool) -> None:
        results = translator.translate_batch(
            tokenizer.encode(sentences),
            beam_size=beams,
            return_scores=True,
            use_vmap=use_vmap,
        )
        for result in results:
            # Without </s>.
            check_length("CTranslate2", len(result.hypotheses[0]) + 1, SENTENCE_TOKENS)
            tokenizer.decode(result.hypotheses[0])

    return translate
