"""A stand-in for the Hugging Face hub: the real protocol over real HTTP on the loopback interface.

It answers what a client asks for to fetch a snapshot: model info and tree with sizes and checksums,
``resolve`` URLs with ``ETag`` and ``X-Repo-Commit``, a redirect to another origin for LFS files,
ranges, and the hub's own error codes. It can be told to break downloads, to answer errors and to
ask for a token.
"""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit

_LFS = (".bin", ".h5", ".msgpack", ".onnx", ".ot", ".safetensors", ".spm")


@dataclass(frozen=True)
class Call:
    """One request as the hub saw it."""

    method: str
    path: str
    headers: Message


@dataclass
class Repository:
    """A repository: what each of its commits holds and what its branches and refs stand for."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: bool = False

    def commit(self, ref: str, directory: Path, extra: tuple[str, ...] = ()) -> str:
        """Commits the files of ``directory`` and small ``extra`` ones; ``ref`` points there."""
        files = {path.name: path.read_bytes() for path in directory.iterdir()}
        files |= {name: f"not needed: {name}".encode() for name in extra}
        digest = hashlib.sha1(
            repr(sorted((n, _blob(c)) for n, c in files.items())).encode(),
            usedforsecurity=False,
        ).hexdigest()
        self.commits[digest] = files
        self.refs[ref] = digest
        return digest


class Hub:
    """The server; a context manager.

    Attributes:
        repositories: by ``owner/name``.
        calls: every request so far.
        break_after: a content of more bytes than this is broken off there, once; later requests for
            contents are answered 503 until :meth:`heal`.
        spoil: contents are sent with their last byte changed.
        page: what is sent, with status 200, in place of every content.
        size: what is named as the size of every file.
        fail: every content is answered with this status.
        answer: answer every request with this status.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.calls: list[Call] = []
        self.break_after: int | None = None
        self.broken = False
        self.spoil = False
        self.page: bytes | None = None
        self.size: object = None
        self.fail: int | None = None
        self.answer: int | None = None
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    @property
    def endpoint(self) -> str:
        """What ``HF_ENDPOINT`` has to be."""
        return f"http://127.0.0.1:{self.port}"

    def heal(self) -> None:
        """Ends whatever it was told to do wrong, and forgets the calls."""
        self.break_after, self.broken, self.spoil, self.answer = None, False, False, None
        self.page, self.size, self.fail = None, None, None
        self.calls.clear()

    def fetched(self) -> list[str]:
        """Names of the files whose contents were asked for."""
        return [
            call.path.rsplit("/", 1)[1]
            for call in self.calls
            if call.method == "GET" and "/resolve/" in call.path
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle()

    def do_HEAD(self) -> None:
        self._handle()

    def log_message(
        self,
        format: str,
        *args: object,
    ) -> None:
        pass

    def _handle(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.calls.append(Call(self.command, path, self.headers))
        if self.hub.answer:
            self._send(self.hub.answer, b"")
            return
        parts = path.strip("/").split("/")
        if parts[0] == "cdn":
            self._content(self._by_sha256(parts[1]))
            return
        api = parts[:2] == ["api", "models"]
        if api:
            parts = parts[2:]
        name, rest = "/".join(parts[:2]), parts[2:]
        repository = self.hub.repositories.get(name)
        if repository is None:
            self._error(401, "RepoNotFound", "Invalid username or password.")
            return
        if repository.gated and "Authorization" not in self.headers:
            self._error(401, "GatedRepo", f"Access to model {name} is restricted.")
            return
        if api:
            kind = rest[0] if rest else "revision"
            commit = self._commit(repository, "/".join(rest[1:]) or "main")
            if commit is None:
                self._error(404, "RevisionNotFound", "Invalid rev id")
                return
            files = repository.commits[commit]
            if kind == "tree":
                self._json([_tree_entry(n, c) for n, c in files.items()])
                return
            blobs = "blobs=" in self.path
            siblings = [_sibling(n, c) if blobs else {"rfilename": n} for n, c in files.items()]
            if self.hub.size is not None:
                siblings = [sibling | {"size": self.hub.size} for sibling in siblings]
            self._json(
                {"_id": "0", "id": name, "modelId": name, "sha": commit, "siblings": siblings}
            )
            return
        commit = self._commit(repository, "/".join(rest[1:-1]))
        if commit is None:
            self._error(404, "RevisionNotFound", "Invalid rev id")
            return
        content = repository.commits[commit].get(rest[-1])
        if content is None:
            self._error(404, "EntryNotFound", "Entry not found")
            return
        if rest[-1].endswith(_LFS):
            digest = hashlib.sha256(content).hexdigest()
            self._send(
                302,
                b"",
                {
                    # Another origin, as the hub's CDN is: the token may not be sent there.
                    "Location": f"http://localhost:{self.hub.port}/cdn/{digest}",
                    "X-Repo-Commit": commit,
                    "X-Linked-Etag": f'"{digest}"',
                    "X-Linked-Size": str(len(content)),
                },
            )
            return
        self._content(content, {"ETag": f'"{_blob(content)}"', "X-Repo-Commit": commit})
        return

    def _commit(self, repository: Repository, revision: str) -> str | None:
        commit = repository.refs.get(revision, revision)
        return commit if commit in repository.commits else None

    def _by_sha256(self, digest: str) -> bytes:
        contents = (
            c
            for r in self.hub.repositories.values()
            for files in r.commits.values()
            for c in files.values()
        )
        return next(
            content for content in contents if hashlib.sha256(content).hexdigest() == digest
        )

    def _content(self, content: bytes, headers: dict[str, str] | None = None) -> None:
        headers = {"Accept-Ranges": "bytes", **(headers or {})}
        if self.hub.broken or self.hub.fail:
            self._send(self.hub.fail or 503, b"")
            return
        if self.hub.page is not None:
            self._send(200, self.hub.page)
            return
        if self.hub.spoil:
            content = content[:-1] + bytes([content[-1] ^ 1])
        status, total = 200, len(content)
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").split("-")[0])
            status, content = 206, content[start:]
            headers["Content-Range"] = f"bytes {start}-{total - 1}/{total}"
        limit = self.hub.break_after
        if self.command == "GET" and limit is not None and len(content) > limit:
            self.hub.broken = True
            self._send(status, content, headers, only=limit)
            self.close_connection = True
            return
        self._send(status, content, headers)

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, message: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": message})

    def _send(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        only: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:only])


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _sibling(name: str, content: bytes) -> dict[str, object]:
    sibling: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": _blob(content)}
    if name.endswith(_LFS):
        digest = hashlib.sha256(content).hexdigest()
        sibling |= {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 134}}
    return sibling


def _tree_entry(name: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {
        "type": "file",
        "path": name,
        "size": len(content),
        "oid": _blob(content),
    }
    if name.endswith(_LFS):
        digest = hashlib.sha256(content).hexdigest()
        entry |= {"lfs": {"oid": digest, "size": len(content), "pointerSize": 134}}
    return entry
