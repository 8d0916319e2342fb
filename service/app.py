"""The application: the only module that knows all others."""

import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from service import __version__
from service.api import docs, page, problems, schemas
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
from service.serving.workers import Workers
from service.settings import Settings
from service.summarization.decoding import Decoding as SummaryDecoding
from service.summarization.extractive import ExtractiveSummarizer
from service.summarization.generator import Generator
from service.summarization.summarizer import Summarizer
from service.translation.decoding import Decoding
from service.translation.glossary import load_glossary
from service.translation.translator import Translator


@dataclass(frozen=True, slots=True)
class Loaded:
    """A profile ready to work: its translation card, its pipeline, and what answers say of it."""

    card: ModelCard
    pipeline: ArticlePipeline
    identifier: LanguageIdentifier
    models: schemas.ServedModels


logger = logging.getLogger(__name__)

WARM_UP = "Dit is een zin om warm te draaien."
SUMMARY_WARM_UP = "This is a sentence to warm up with."
SUMMARY_WARM_UP_TOKENS = 8


def create_app(
    settings: Settings,
    *,
    translator: Translator | None = None,
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
    loaded = load_pipeline(settings, translator, summarizer)
    models = loaded.models
    # One more thread than batches in parallel: one request is split or summed up while another
    # one's sentences are in the engine.
    workers = Workers(settings.inter_threads + 1, settings.max_queued_requests)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        workers.shutdown()

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
    )
    app.state.settings = settings
    problems.install(app)
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
    app.include_router(create_router(settings, workers, loaded.pipeline, models, cards))
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
    listener = _bind(settings.host, settings.port)
    with listener:
        app = create_app(settings)
        host, port = listener.getsockname()[:2]
        server = _AnnouncingServer(
            server_config(app, settings),
            f"ready on http://{f'[{host}]' if ':' in host else host}:{port}",
        )
        # uvicorn raises the signal that stopped it again at the end: a drained stop is no failure.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server.run(sockets=[listener])


def server_config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """How uvicorn runs the app: strict h11, no access log of its own, a bounded drain."""
    return uvicorn.Config(
        app,
        http=ProblemProtocol,
        access_log=False,
        log_config=None,
        log_level=settings.log_level,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


class _AnnouncingServer(uvicorn.Server):
    """Says where it listens, once it does."""

    def __init__(self, config: uvicorn.Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(self._announcement, flush=True)


def _bind(host: str, port: int) -> socket.socket:
    """A socket bound but not yet listening: a taken port is found before the models are loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        raise StartupError(f"can't listen on {host} port {port}: {exc.strerror}") from None
    return listener


def load_pipeline(
    settings: Settings,
    translator: Translator | None = None,
    summarizer: Summarizer | None = None,
) -> Loaded:
    """The settings' profile, its models verified, loaded and warm.

    Raises:
        StartupError: see :func:`create_app`.
    """
    profile = PROFILES[settings.profile]
    card = load_card(profile.translation, settings.cards_dir)
    summary_card = load_card(profile.summarization, settings.cards_dir)
    store = ModelStore(settings.models_dir)
    # All files are looked at before the first model is loaded.
    revision = _verify(settings, store, card) if translator is None else None
    summary_revision = _verify(settings, store, summary_card) if summarizer is None else None
    if translator is None:
        logger.info("loading %s", card.name)
        translator = _load_translator(settings, card, store.path(card.name))
    if card.notice:
        logger.warning("%s", card.notice)
    with _must_run(card):
        translator.translate([WARM_UP])
    if summarizer is None:
        summarizer = _load_summarizer(settings, summary_card, store)
    identifier = LanguageIdentifier()
    pipeline = ArticlePipeline(
        translator,
        summarizer,
        identifier,
        glossary=load_glossary(settings.glossary) if settings.glossary else None,
        repairs=settings.repair,
        max_characters=settings.max_article_characters,
        notices=[ArticleWarning(WarningCode.DEMO_MODEL)] if card.bundled else [],
    )
    models = schemas.ServedModels(
        translation=schemas.ServedModel(
            card=card.name, revision=revision, engine=translator.engine
        ),
        summarization=schemas.ServedModel(
            card=summary_card.name, revision=summary_revision, engine=summarizer.engine
        ),
    )
    return Loaded(card, pipeline, identifier, models)


def load_summarizer(settings: Settings) -> Summarizer:
    """The summarizer of the settings' profile alone, its model verified, loaded and warm.

    Raises:
        StartupError: see :func:`create_app`.
    """
    card = load_card(PROFILES[settings.profile].summarization, settings.cards_dir)
    store = ModelStore(settings.models_dir)
    _verify(settings, store, card)
    return _load_summarizer(settings, card, store)


def _verify(settings: Settings, store: ModelStore, card: ModelCard) -> str | None:
    """The commit of the installed model, its files verified; none of a model without files."""
    if card.architecture == "extractive":
        return None
    logger.info("verifying %s", card.name)
    store.verify(card.name, settings.engine)
    return store.manifest(card.name).commit


def _load_translator(settings: Settings, card: ModelCard, directory: Path) -> Translator:
    decoding = Decoding(
        beam_size=settings.beam_size or card.decoding.beam_size,
        length_penalty=card.decoding.length_penalty,
        max_source_tokens=card.limits.max_source_tokens,
        max_target_tokens=card.limits.max_target_tokens,
        max_target_ratio=card.decoding.max_target_ratio,
        max_target_margin=card.decoding.max_target_margin,
    )
    # Imported here, so that only the engine in use costs its memory and start-up time.
    with _must_load(card):
        if settings.engine == "torch":
            import torch

            from service.translation.marian import TorchTranslator

            torch.set_num_threads(settings.intra_threads)
            return TorchTranslator(directory, decoding, prefix=card.prefix, device=settings.device)
        from service.translation.ct2 import CTranslate2Translator

        return CTranslate2Translator(
            directory,
            decoding,
            prefix=card.prefix,
            device=settings.device,
            inter_threads=settings.inter_threads,
            intra_threads=settings.intra_threads,
        )


def _load_summarizer(settings: Settings, card: ModelCard, store: ModelStore) -> Summarizer:
    if card.architecture == "extractive":
        return ExtractiveSummarizer()
    from service.summarization.abstractive import AbstractiveSummarizer

    logger.info("loading %s", card.name)
    generator = _load_generator(settings, card, store.path(card.name))
    if card.notice:
        logger.warning("%s", card.notice)
    with _must_run(card):
        generator.generate([SUMMARY_WARM_UP], min_tokens=1, max_tokens=SUMMARY_WARM_UP_TOKENS)
    # A card of a BART model has both lengths.
    return AbstractiveSummarizer(
        generator,
        min_length=card.decoding.min_length or 0,
        max_length=card.decoding.max_length or 0,
    )


def _load_generator(settings: Settings, card: ModelCard, directory: Path) -> Generator:
    """The summarization model; its beam is the card's, whatever the translator's is.

    It has threads of its own beside the translator's: a request uses one model after the other.
    """
    decoding = SummaryDecoding(
        beam_size=card.decoding.beam_size,
        length_penalty=card.decoding.length_penalty,
        no_repeat_ngram_size=card.decoding.no_repeat_ngram_size,
        max_source_tokens=card.limits.max_source_tokens,
    )
    with _must_load(card):
        if settings.engine == "torch":
            import torch

            from service.summarization.bart import TorchGenerator

            torch.set_num_threads(settings.intra_threads)
            return TorchGenerator(directory, decoding, device=settings.device)
        from service.summarization.ct2 import CTranslate2Generator

        return CTranslate2Generator(
            directory,
            decoding,
            device=settings.device,
            inter_threads=settings.inter_threads,
            intra_threads=settings.intra_threads,
        )


@contextmanager
def _must_load(card: ModelCard) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as exc:
        raise StartupError(f"model {card.name} can't be loaded: {one_line(exc)}") from exc


@contextmanager
def _must_run(card: ModelCard) -> Iterator[None]:
    try:
        yield
    except InferenceError as exc:
        raise StartupError(
            f"model {card.name} does not run: {one_line(exc.__cause__ or exc)}"
        ) from exc
