"""What sums up in the benchmark: transformers and CTranslate2, at the beams of the card."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from service.evaluation.benchmark.models import ARTICLE_TOKENS, SUMMARIZATION, make_article
from service.evaluation.benchmark.report import Contender, check_length
from service.machine import usable_cores
from service.models.card import load_card
from service.summarization.decoding import Decoding

SUMMARY_TOKENS = 60
"""Tokens of every summary, ``<s>`` and ``</s>`` left out: about the mean of CNN/DailyMail's
references (56)."""


def summarization_contenders(directory: Path) -> dict[str, Contender]:
    """Everything that sums up one article, by its letter in the table, warmed up.

    Args:
        directory: the summarization model.
    """
    card = load_card(SUMMARIZATION)
    decoding = Decoding(
        beam_size=card.decoding.beam_size,
        length_penalty=card.decoding.length_penalty,
        no_repeat_ngram_size=card.decoding.no_repeat_ngram_size,
        max_source_tokens=card.limits.max_source_tokens,
    )
    summarize, count_tokens = _load_ctranslate2(directory, decoding)
    generate = _load_transformers(directory / "hub", decoding)
    article = make_article(count_tokens)
    contenders = {
        "f": Contender(
            "transformers, one article",
            decoding.beam_size,
            "summaries",
            1,
            lambda: generate(article),
        ),
        "g": Contender(
            "CTranslate2 int8, one article",
            decoding.beam_size,
            "summaries",
            1,
            lambda: summarize(article),
        ),
    }
    for contender in contenders.values():
        contender.run()
    return contenders


def _load_transformers(hub: Path, decoding: Decoding) -> Callable[[str], None]:
    """``generate(article)`` as a user of transformers writes it, float32."""
    import torch
    import transformers

    tokenizer: Any = transformers.BartTokenizer.from_pretrained(hub)
    model: Any = transformers.BartForConditionalGeneration.from_pretrained(hub, dtype=torch.float32)
    # It begins with <s>, which CTranslate2 is given.
    new_tokens = SUMMARY_TOKENS + 1

    def generate(article: str) -> None:
        inputs = tokenizer(f" {article}", return_tensors="pt")
        check_length("the tokenizer of transformers", inputs["input_ids"].shape[1], ARTICLE_TOKENS)
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                num_beams=decoding.beam_size,
                length_penalty=decoding.length_penalty,
                no_repeat_ngram_size=decoding.no_repeat_ngram_size,
                early_stopping=True,
                min_new_tokens=new_tokens,
                max_new_tokens=new_tokens,
            )
        # The decoder's start token comes first.
        check_length("transformers", output.shape[1] - 1, new_tokens)
        tokenizer.batch_decode(output, skip_special_tokens=True)

    return generate


def _load_ctranslate2(
    directory: Path, decoding: Decoding
) -> tuple[Callable[[str], None], Callable[[str], int]]:
    """``summarize(article)`` by the service's own generator, and its count of tokens."""
    from service.summarization.ct2 import CTranslate2Generator

    generator = CTranslate2Generator(directory, decoding, intra_threads=usable_cores())

    def summarize(article: str) -> None:
        [generated] = generator.generate(
            [article], min_tokens=SUMMARY_TOKENS, max_tokens=SUMMARY_TOKENS
        )
        check_length("CTranslate2", generated.target_tokens, SUMMARY_TOKENS)

    return summarize, generator.count_tokens
