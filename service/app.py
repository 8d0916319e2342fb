"""The application: the only module that knows all others."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

from fastapi import FastAPI

from service import __version__, tracing
from service.api import docs, jobs, page, problems, schemas
from service.api import metrics as metrics_route
from service.api.access import Access, install_cors
from service.api.articles import Articles
from service.api.database_calls import DatabaseCalls
from service.api.dialects import deepl, libretranslate
from service.api.protocol import ProblemProtocol
from service.api.request_workers import RequestWorkers
from service.api.routes import create_router
from service.errors import DatabaseError, ServiceError, StartupError
from service.jobs.runner import JobRunner
from service.jobs.store import JobStore
from service.jobs.webhooks import Webhooks, load_receiver
from service.keys.store import KeyStore
from service.loading import Loader, load_pipeline
from service.machine import usable_cores
from service.models.card import load_cards
from service.serving import server
from service.serving.health import Health
from service.serving.metrics import Metrics
from service.serving.workers import Workers
from service.settings import Settings
from service.storage.database import Database, open_database
from service.summarization.summarizer import Summarizer
from service.translation.translator import TranslationEngine

MAX_JOB_THREADS = 8
"""Articles of jobs at the same time: one for every core, from 2 to this many. More of them do
little more, and a sentence of a request waits for a batch that is theirs as well."""
JOB_CALLS = 4
"""Calls of the database for the routes of jobs at the same time."""
JOB_CALL_SECONDS = 60.0
"""How long such a route waits: keeping the largest job takes some seconds."""


def create_app(
    settings: Settings,
    *,
    translator: TranslationEngine | None = None,
    summarizer: Summarizer | None = None,
    loader: Callable[[Settings, Metrics], Loader] = Loader,
) -> FastAPI:
    """The service over one profile, its models verified, loaded and warm.

    Args:
        settings: what the operator set.
        translator: used instead of the profile's (a test's seam).
        summarizer: used instead of the profile's.
        loader: loads the models.

    Raises:
        InvalidSettings: the webhook's URL or secret can't be used.
        StartupError: keys are required and there is none, the database can't be opened, or a
            model is missing or damaged, or does not run.
    """
    receiver = load_receiver(settings)
    database = _open(settings) if settings.jobs or settings.keys_required else None
    metrics = Metrics()
    with ExitStack() as opened:
        if database is not None:
            opened.callback(database.close)
        loaded = load_pipeline(
            settings, metrics=metrics, translator=translator, summarizer=summarizer, loader=loader
        )
        opened.pop_all()
    models = loaded.models
    workers = Workers(settings.max_queued_requests, settings.max_queued_tokens, metrics)
    health = Health(loaded.engines)
    access = Access(database if settings.keys_required else None, health)
    requests = RequestWorkers(workers, access)
    articles = Articles(loaded.pipeline, models, metrics)
    job_routes = runner = calls = webhooks = None
    if settings.jobs and database is not None:
        store = JobStore(
            database,
            max_queued_articles=settings.max_queued_articles,
            retention_seconds=settings.job_retention_hours * 3600,
            webhooks=receiver is not None,
        )
        if receiver is not None:
            webhooks = Webhooks(database, receiver, metrics)
        runner = JobRunner(
            store,
            articles.translate,
            problem=problems.problem,
            threads=min(max(2, usable_cores()), MAX_JOB_THREADS),
            lease_seconds=settings.lease_seconds,
            metrics=metrics,
            ready=lambda: not (health.draining or health.dead()),
        )
        health.working = runner.is_working
        calls = DatabaseCalls("jobs-calls", threads=JOB_CALLS, seconds=JOB_CALL_SECONDS)
        job_routes = jobs.create_router(store, runner, calls, access)
    metrics.live.set_function(lambda: not health.dead())
    metrics.ready.set_function(lambda: not health.unready())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as closing:  # the last is closed first
            tracing.start()
            closing.callback(tracing.stop)
            if database is not None:
                closing.callback(database.close)
            closing.callback(access.close)
            closing.callback(loaded.close)
            closing.callback(workers.shutdown)
            if calls:
                closing.callback(calls.close)
            for background in (webhooks, runner):
                if background:
                    background.start()
                    closing.callback(background.close)
            yield

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
    app.state.access = access
    app.state.metrics = metrics
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
    app.include_router(
        create_router(settings, requests, access, health, loaded.pipeline, articles, models, cards)
    )
    if job_routes:
        app.include_router(job_routes)
    if settings.libretranslate:
        app.include_router(
            libretranslate.create_router(
                settings, requests, access, loaded.pipeline, loaded.identifier
            )
        )
    if settings.deepl:
        app.include_router(deepl.create_router(settings, requests, access, loaded.pipeline))
    install_cors(app, settings.cors_origins)
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


def _open(settings: Settings) -> Database:
    """The database; where its address alone makes a server ask for keys, it has a usable one.

    Who sets ``require_keys`` knows that nobody is let in before there is a key.

    Raises:
        DatabaseError: it can't be opened.
        StartupError: there is no such key.
    """
    database = open_database(settings.database_url.get_secret_value())
    try:
        by_address = settings.keys_required and settings.require_keys is None
        if not by_address or KeyStore(database).any_usable():
            return database
    except ServiceError as error:
        database.close()
        raise DatabaseError(error.detail) from None
    database.close()
    raise StartupError(
        f"requests to {settings.host} need a key, and there is none: make one with "
        "`kortom keys create NAME`, or go without with --require-keys false"
    )
