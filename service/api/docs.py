"""The documentation page at ``/docs``, with nothing fetched from elsewhere."""

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles


def install(app: FastAPI) -> None:
    """Serve Swagger UI from the copy that the package fastapi-swagger carries.

    FastAPI's own page loads it from a public network, which a closed one can't reach.
    """
    app.mount("/docs/static", StaticFiles(packages=[("fastapi_swagger", "resources")]))

    # Relative addresses hold behind a proxy's path prefix too.
    page = get_swagger_ui_html(
        openapi_url="openapi.json",
        title=app.title,
        swagger_js_url="docs/static/swagger-ui-bundle.js",
        swagger_css_url="docs/static/swagger-ui.css",
        swagger_favicon_url="docs/static/favicon-32x32.png",
    )

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return page
