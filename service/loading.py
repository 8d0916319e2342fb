"""A profile's models, verified, loaded and warm, behind queues, and the pipeline over them."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from service.api import schemas
from service.article.language import LanguageIdentifier
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import InferenceError, StartupError, one_line
from service.models.card import ModelCard, load_card
from service.models.profiles import PROFILES
from service.models.store import ModelStore
from service.pipeline import ArticlePipeline
from service.serving.batcher import Batcher
from service.serving.engines import (
    CANARY,
    SUMMARY_CANARY,
    SUMMARY_CANARY_TOKENS,
    BatchedGenerator,
    BatchedTranslator,
)
from service.serving.health import Engine
from service.serving.metrics import Metrics
from service.settings import Settings
from service.summarization.decoding import Decoding as SummaryDecoding
from service.summarization.extractive import ExtractiveSummarizer
from service.summarization.generator import GenerationEngine, Generator
from service.summarization.summarizer import Summarizer
from service.translation.decoding import Decoding
from service.translation.glossary import load_glossary
from service.translation.translator import TranslationEngine, Translator

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
"""How long a stopping server waits for a batch that nobody waits for any more."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A profile ready to work: its translation card, its pipeline, and what answers say of it.

    ``batchers`` are the queues in front of its engines, ``engines`` what tells of their health.
    """

    card: ModelCard
    pipeline: ArticlePipeline
    identifier: LanguageIdentifier
    models: schemas.ServedModels
    batchers: Sequence[Batcher[Any, Any]]
    engines: Sequence[Engine]

    def close(self) -> None:
        """Stop the engines' threads; whoever still waits for them gets an error."""
        for batcher in self.batchers:
            batcher.close(CLOSE_SECONDS)


class Placement(TypedDict):
    """Arguments that every engine takes."""

    device: str
    inter_threads: int | None
    intra_threads: int


class Loader:
    """Loads models, warms them up and puts a queue in front of each.

    Args:
        settings: where the models are and how they run.
        metrics: told of the loading and of the queues.

    Attributes:
        batchers: the queues, which are closed in the end.
        engines: what the answers depend on, for the health routes.

    Raises:
        StartupError: the engine is ray, which has a loader of its own; and by every method: the
            model is missing or damaged, or does not run.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.batchers: list[Batcher[Any, Any]] = []
        self.engines: list[Engine] = []
        # Read by the Hugging Face libraries when they are imported: nothing asks the network.
        os.environ["HF_HUB_OFFLINE"] = "1"
        if settings.engine == "ray":
            raise StartupError("engine ray is for kortom serve and kortom bulk")
        self._engine: Literal["ctranslate2", "torch"] = settings.engine
        self._settings = settings
        self._metrics = metrics
        self._store = ModelStore(settings.models_dir)

    def verify(self, card: ModelCard) -> str | None:
        """The commit of the installed model, its files verified; none of a model without files."""
        if card.architecture == "extractive":
            return None
        logger.info("verifying %s", card.name)
        self._store.verify(card.name, self._engine)
        return self._store.manifest(card.name).commit

    def translator(self, card: ModelCard, engine: TranslationEngine | None = None) -> Translator:
        """The card's model, or ``engine`` in its place, shared by all callers."""
        with self._measured(card):
            if engine is None:
                engine = self._load_translator(card)
            engine.translate([CANARY])
        shared = BatchedTranslator(
            engine,
            card.name,
            timeout_seconds=self._settings.engine_timeout_seconds,
            metrics=self._metrics,
        )
        self._add(shared.batcher)
        return shared

    def summarizer(self, card: ModelCard) -> Summarizer:
        """The card's summarizer, its model shared by all callers."""
        if card.architecture == "extractive":
            return ExtractiveSummarizer()
        from service.summarization.abstractive import AbstractiveSummarizer

        # A card of a BART model has both lengths.
        return AbstractiveSummarizer(
            self.generator(card),
            min_length=card.decoding.min_length or 0,
            max_length=card.decoding.max_length or 0,
        )

    def generator(self, card: ModelCard) -> Generator:
        """The card's summarization model, shared by all callers."""
        with self._measured(card):
            generator = self._load_generator(card)
            generator.generate([SUMMARY_CANARY], min_tokens=1, max_tokens=SUMMARY_CANARY_TOKENS)
        shared = BatchedGenerator(
            generator,
            card.name,
            timeout_seconds=self._settings.engine_timeout_seconds,
            metrics=self._metrics,
        )
        self._add(shared.batcher)
        return shared

    def _add(self, batcher: Batcher[Any, Any]) -> None:
        self.batchers.append(batcher)
        self.engines.append(batcher)

    @contextmanager
    def _measured(self, card: ModelCard) -> Iterator[None]:
        """Around the loading and the first use of a model.

        Raises:
            StartupError: either fails.
        """
        logger.info("loading %s", card.name)
        if card.notice:
            logger.warning("%s", card.notice)
        start = time.monotonic()
        try:
            yield
        except InferenceError as exc:
            raise StartupError(
                f"model {card.name} does not run: {one_line(exc.__cause__ or exc)}"
            ) from exc
        except StartupError:
            raise
        except Exception as exc:  # whatever a damaged file makes a library stumble on
            raise StartupError(f"model {card.name} can't be loaded: {one_line(exc)}") from exc
        self._metrics.model_load.labels(model=card.name).set(time.monotonic() - start)

    def _load_translator(self, card: ModelCard) -> TranslationEngine:
        settings, directory = self._settings, self._store.path(card.name)
        decoding = Decoding(
            beam_size=settings.beam_size or card.decoding.beam_size,
            length_penalty=card.decoding.length_penalty,
            max_source_tokens=card.limits.max_source_tokens,
            max_target_tokens=card.limits.max_target_tokens,
            max_target_ratio=card.decoding.max_target_ratio,
            max_target_margin=card.decoding.max_target_margin,
        )
        # Imported here, so that only the engine in use costs its memory and start-up time.
        if self._engine == "torch":
            from service.translation.marian import TorchTranslator

            return TorchTranslator(directory, decoding, prefix=card.prefix, **self._placement())
        from service.translation.ct2 import CTranslate2Translator

        return CTranslate2Translator(directory, decoding, prefix=card.prefix, **self._placement())

    def _load_generator(self, card: ModelCard) -> GenerationEngine:
        """The summarization model; its beam is the card's, whatever the translator's is."""
        directory = self._store.path(card.name)
        decoding = SummaryDecoding(
            beam_size=card.decoding.beam_size,
            length_penalty=card.decoding.length_penalty,
            no_repeat_ngram_size=card.decoding.no_repeat_ngram_size,
            max_source_tokens=card.limits.max_source_tokens,
        )
        if self._engine == "torch":
            from service.summarization.bart import TorchGenerator

            return TorchGenerator(directory, decoding, **self._placement())
        from service.summarization.ct2 import CTranslate2Generator

        return CTranslate2Generator(directory, decoding, **self._placement())

    def _placement(self) -> Placement:
        """Where and in how many threads a model runs; each model has threads of its own."""
        return {
            "device": self._settings.device,
            "inter_threads": self._settings.inter_threads,
            "intra_threads": self._settings.intra_threads,
        }


def load_pipeline(
    settings: Settings,
    *,
    metrics: Metrics | None = None,
    translator: TranslationEngine | None = None,
    summarizer: Summarizer | None = None,
    loader: Callable[[Settings, Metrics], Loader] = Loader,
) -> Loaded:
    """The settings' profile, its models verified, loaded and warm.

    Args:
        settings: what the operator set.
        metrics: told of the models; nobody's unless given.
        translator: used instead of the profile's (a test's seam).
        summarizer: used instead of the profile's.
        loader: loads the models.

    Raises:
        StartupError: a model is missing or damaged, or does not run.
    """
    profile = PROFILES[settings.profile]
    card = load_card(profile.translation, settings.cards_dir)
    summary_card = load_card(profile.summarization, settings.cards_dir)
    metrics = metrics or Metrics()
    glossary = load_glossary(settings.glossary) if settings.glossary else None
    models_loader = loader(settings, metrics)
    # All files are looked at before the first model is loaded.
    revision = models_loader.verify(card) if translator is None else None
    summary_revision = models_loader.verify(summary_card) if summarizer is None else None
    shared = models_loader.translator(card, translator)
    if summarizer is None:
        summarizer = models_loader.summarizer(summary_card)
    identifier = LanguageIdentifier()
    pipeline = ArticlePipeline(
        shared,
        summarizer,
        identifier,
        glossary=glossary,
        repairs=settings.repair,
        max_characters=settings.max_article_characters,
        notices=[ArticleWarning(WarningCode.DEMO_MODEL)] if card.bundled else [],
    )
    models = schemas.ServedModels(
        translation=schemas.ServedModel(card=card.name, revision=revision, engine=shared.engine),
        summarization=schemas.ServedModel(
            card=summary_card.name, revision=summary_revision, engine=summarizer.engine
        ),
    )
    for model in (models.translation, models.summarization):
        info = metrics.model_info.labels(
            name=model.card, revision=model.revision or "", engine=model.engine
        )
        info.set(1)
    return Loaded(card, pipeline, identifier, models, models_loader.batchers, models_loader.engines)


def load_summarizer(settings: Settings) -> Summarizer:
    """The summarizer of the settings' profile alone, its model verified, loaded and warm.

    Raises:
        StartupError: a model is missing or damaged, or does not run.
    """
    card = load_card(PROFILES[settings.profile].summarization, settings.cards_dir)
    loader = Loader(settings, Metrics())
    loader.verify(card)
    return loader.summarizer(card)
