"""``GET /metrics`` for Prometheus."""

from fastapi import APIRouter, FastAPI
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from service.api.access import KeyedRoute
from service.api.account import METRICS_PATH
from service.serving.metrics import Metrics


def install(app: FastAPI, metrics: Metrics) -> None:
    """Serve all metrics as text, or as OpenMetrics where ``Accept`` prefers it.

    It needs no thread and no place, so that it answers whatever else waits; where keys
    are required, its key is looked up as any other.
    """
    router = APIRouter(route_class=KeyedRoute, include_in_schema=False)

    @router.get(METRICS_PATH)
    async def scrape(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"Content-Type": content_type})

    app.include_router(router)
