"""``GET /metrics`` for Prometheus."""

from fastapi import FastAPI
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from service.api.account import METRICS_PATH
from service.serving.metrics import Metrics


def install(app: FastAPI, metrics: Metrics) -> None:
    """Serve all metrics as text, or as OpenMetrics where ``Accept`` prefers it.

    It needs no thread and no place, so that it answers whatever else waits.
    """

    @app.get(METRICS_PATH, include_in_schema=False)
    async def scrape(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.registry), headers={"Content-Type": content_type})
