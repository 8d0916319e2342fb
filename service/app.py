"""The application: the only module that knows all others."""

import logging
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

from fastapi import FastAPI

from service import __version__, tracing
from service.api import docs, page, problems, schemas
from service.api import metrics as metrics_route
from service.api.dialects import deepl, libretranslate
from service.api.protocol import ProblemProtocol
from service.api.routes import create_router
from service.article.language import LanguageIdentifier
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import InferenceError, StartupError, one_line
from service.models.card import ModelCard, load_card, load_cards
from service.models.profiles import PROFILES
from service.models.store import ModelStore
from service.pipeline import ArticlePipeline
from service.serving import server
from service.serving.batcher import Batcher
from service.serving.engines import (
    CANARY,
    SUMMARY_CANARY,
    SUMMARY_CANARY_TOKENS,
    BatchedGenerator,
    BatchedTranslator,
)
from service.serving.health import Health
from service.serving.metrics import Metrics
from service.serving.workers import Workers
from service.settings import Settings
from service.summarization.decoding import Decoding as SummaryDecoding
from service.summarization.extractive import ExtractiveSummarizer
from service.summarization.generator import GenerationEngine
from service.summarization.summarizer import Summarizer
from service.translation.decoding import Decoding
from service.translation.glossary import load_glossary
from service.translation.translator import TranslationEngine, Translator


@dataclass(frozen=True, slots=True)
class Loaded:
    """A profile ready to work: its translation card, its pipeline, and what answers say of it.

    ``batchers`` are the queues in front of its engines.
    """

    card: ModelCard
    pipeline: ArticlePipeline
    identifier: LanguageIdentifier
    models: schemas.ServedModels
    batchers: Sequence[Batcher[Any, Any]]

    def close(self) -> None:
        """Stop the engines' threads; whoever still waits for them gets an error."""
        for batcher in self.batchers:
            batcher.close(CLOSE_SECONDS)


class Placement(TypedDict):
    """Arguments that every engine takes."""

    device: str
    inter_threads: int | None
    intra_threads: int


logger = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0
"""How long a stopping server waits for a batch that nobody waits for any more."""


def create_app(
    settings: Settings,
    *,
    translator: TranslationEngine | None = None,
    summarizer: Summarizer | None = None,
) -> FastAPI:
    """The service over one profile, its models verified, loaded and warm.

    Args:
        settings: what the operator set.
        translator: used instead of the profile's (a test's seam).
        summarizer: used instead of the profile's.

    Raises:
        StartupError: a model is missing or damaged, or does not run.
    """
    metrics = Metrics()
    loaded = load_pipeline(settings, metrics=metrics, translator=translator, summarizer=summarizer)
    models = loaded.models
    workers = Workers(settings.max_queued_requests, settings.max_queued_tokens, metrics)
    health = Health(loaded.batchers)
    metrics.live.set_function(lambda: not health.dead())
    metrics.ready.set_function(lambda: not health.unready())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tracing.start()
        yield
        workers.shutdown()
        loaded.close()
        tracing.stop()

    app = FastAPI(
        title="Kortom",
        version=__version__,
        summary="Dutch articles in, English text and a short bullet summary out.",
        description=loaded.card.notice or "",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Its spans have paths and queries, its log records the messages of exceptions.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.settings = settings
    app.state.health = health
    problems.install(app, metrics)
    metrics_route.install(app, metrics)
    docs.install(app)
    page.install(app)
    served = {model.card: model for model in (models.translation, models.summarization)}
    cards = [
        schemas.ModelAnswer(
            name=known.name,
            task=known.task,
            license=known.license,
            revision=served[known.name].revision if known.name in served else None,
            served=known.name in served,
            notice=known.notice,
        )
        for known in load_cards(settings.cards_dir).values()
    ]
    app.include_router(create_router(settings, workers, health, loaded.pipeline, models, cards))
    if settings.libretranslate:
        app.include_router(
            libretranslate.create_router(settings, workers, loaded.pipeline, loaded.identifier)
        )
    if settings.deepl:
        app.include_router(deepl.create_router(settings, workers, loaded.pipeline))
    return app


def serve(settings: Settings) -> None:
    """Load, then listen until SIGTERM or SIGINT; accepted requests are finished first.

    Raises:
        StartupError: the address is taken, or see :func:`create_app`.
    """
    listener = server.bind(settings.host, settings.port)
    with listener:
        app = create_app(settings)
        server.serve(app, settings, listener, app.state.health, ProblemProtocol)


def load_pipeline(
    settings: Settings,
    *,
    metrics: Metrics | None = None,
    translator: TranslationEngine | None = None,
    summarizer: Summarizer | None = None,
) -> Loaded:
    """The settings' profile, its models verified, loaded and warm.

    Raises:
        StartupError: see :func:`create_app`.
    """
    profile = PROFILES[settings.profile]
    card = load_card(profile.translation, settings.cards_dir)
    summary_card = load_card(profile.summarization, settings.cards_dir)
    metrics = metrics or Metrics()
    loader = _Loader(settings, metrics)
    # All files are looked at before the first model is loaded.
    revision = loader.verify(card) if translator is None else None
    summary_revision = loader.verify(summary_card) if summarizer is None else None
    shared = loader.translator(card, translator)
    if summarizer is None:
        summarizer = loader.summarizer(summary_card)
    identifier = LanguageIdentifier()
    pipeline = ArticlePipeline(
        shared,
        summarizer,
        identifier,
        glossary=load_glossary(settings.glossary) if settings.glossary else None,
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
    return Loaded(card, pipeline, identifier, models, loader.batchers)


def load_summarizer(settings: Settings) -> Summarizer:
    """The summarizer of the settings' profile alone, its model verified, loaded and warm.

    Raises:
        StartupError: see :func:`create_app`.
    """
    card = load_card(PROFILES[settings.profile].summarization, settings.cards_dir)
    loader = _Loader(settings, Metrics())
    loader.verify(card)
    return loader.summarizer(card)


class _Loader:
    """Loads models, warms them up and puts a queue in front of each.

    Attributes:
        batchers: the queues.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.batchers: list[Batcher[Any, Any]] = []
        self._settings = settings
        self._metrics = metrics
        self._store = ModelStore(settings.models_dir)

    def verify(self, card: ModelCard) -> str | None:
        """The commit of the installed model, its files verified; none of a model without files."""
        if card.architecture == "extractive":
            return None
        logger.info("verifying %s", card.name)
        self._store.verify(card.name, self._settings.engine)
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
        self.batchers.append(shared.batcher)
        return shared

    def summarizer(self, card: ModelCard) -> Summarizer:
        """The card's summarizer, its model shared by all callers."""
        if card.architecture == "extractive":
            return ExtractiveSummarizer()
        from service.summarization.abstractive import AbstractiveSummarizer

        with self._measured(card):
            generator = self._load_generator(card)
            generator.generate([SUMMARY_CANARY], min_tokens=1, max_tokens=SUMMARY_CANARY_TOKENS)
        shared = BatchedGenerator(
            generator,
            card.name,
            timeout_seconds=self._settings.engine_timeout_seconds,
            metrics=self._metrics,
        )
        self.batchers.append(shared.batcher)
        # A card of a BART model has both lengths.
        return AbstractiveSummarizer(
            shared,
            min_length=card.decoding.min_length or 0,
            max_length=card.decoding.max_length or 0,
        )

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
        except (OSError, RuntimeError, ValueError) as exc:
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
        if settings.engine == "torch":
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
        if self._settings.engine == "torch":
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
