"""The page for people at ``/``: files of ``service/web``, read once and sent as they are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

_DIRECTORY = Path(__file__).parents[1] / "web"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # No string becomes markup or code: the page has no policy that would allow it.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""What the page may do: run and show its own files, and talk to the server it came from."""

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
    "display-capture=(), browsing-topics=(), clipboard-read=(), clipboard-write=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # A browser keeps the files and asks each time whether they are still these: all of them
    # change together with the server.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the page, and its ETag: the same on every server of the same version."""

    content: bytes
    media_type: str
    etag: str

    @classmethod
    def read(cls, path: Path) -> "_File":
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        return cls(content, _MEDIA_TYPES[path.suffix], f'"{digest[:32]}"')

    def answer(self, request: Request) -> Response:
        """The file, or 304 if the caller has it (RFC 9110, 13.1.2)."""
        headers = {**_HEADERS, "ETag": self.etag}
        known = request.headers.get("if-none-match", "").split(",")
        if {self.etag, "*"} & {tag.strip().removeprefix("W/") for tag in known}:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def install(app: FastAPI) -> None:
    """Serve the page at ``/`` and its files under ``/page/``."""
    for path in sorted(_DIRECTORY.iterdir()):
        name = "/" if path.name == "index.html" else f"/page/{path.name}"
        app.add_api_route(
            name, _File.read(path).answer, include_in_schema=False, response_model=None
        )
