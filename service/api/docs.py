"""The interface description, and its page at ``/docs`` with nothing fetched from elsewhere."""

import base64
import hashlib
import re
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from service.api import problems, schemas
from service.api.access import OPEN


def install(app: FastAPI) -> None:
    """Serve the description, and Swagger UI from the copy that the package fastapi-swagger carries.

    FastAPI's own page loads it from a public network, which a closed one can't reach.
    """
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]  # as FastAPI documents it
    app.mount("/docs/static", StaticFiles(packages=[("fastapi_swagger", "resources")]))

    # Relative addresses hold behind a proxy's path prefix too.
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url="docs/static/swagger-ui-bundle.js",
        swagger_css_url="docs/static/swagger-ui.css",
        swagger_favicon_url="docs/static/favicon-32x32.png",
    )

    page.headers["Content-Security-Policy"] = _policy(bytes(page.body))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page


def _policy(page: bytes) -> str:
    """What the page may do: run its own files and the one script that stands in it."""
    script = re.search(rb"<script>(.*?)</script>", page, re.DOTALL)
    digest = hashlib.sha256(script[1] if script else b"").digest()
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'sha256-{base64.b64encode(digest).decode()}'",
            "style-src 'self' 'unsafe-inline'",  # Swagger UI writes some into its elements
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _describe(app: FastAPI) -> dict[str, Any]:
    document = FastAPI.openapi(app)
    # FastAPI writes the schema of every documented answer under application/json,
    for path in document["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {})
                if not status.startswith("2") and "application/json" in content:
                    content[problems.MEDIA_TYPE] = content.pop("application/json")
    # and leaves out whatever is null, in examples too.
    for name, schema in document["components"]["schemas"].items():
        if "examples" in schema:
            schema["examples"] = getattr(schemas, name).model_config["json_schema_extra"][
                "examples"
            ]
    if app.state.access.required:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        for name, path in document["paths"].items():
            for operation in path.values() if name not in OPEN else ():
                operation["security"] = [{"key": []}]
    return document
