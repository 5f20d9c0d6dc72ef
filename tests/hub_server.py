"""A model hub on loopback that speaks the endpoints which huggingface_hub downloads from."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Hub:
    """Repositories by id, each with its files; `asked` are the requests, `tokens` what came along.

    A repository in `gated` is refused to everybody.
    """

    endpoint: str
    files: dict[str, dict[str, bytes]]
    gated: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def commit(self, repository: str) -> str:
        """The commit that `main` stands for: it moves when a file changes."""
        whole = repr(sorted(self.files[repository].items())).encode()
        return hashlib.sha1(whole).hexdigest()


@contextmanager
def hub_server(files: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    """A hub for the time of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(body=True)

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _answer(self, *, body: bool) -> None:
            path = urlsplit(self.path).path
            hub.asked.append(f"{self.command} {path}")
            kind, content, headers = _reply(hub, path)
            self.send_response(kind)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if body:
                self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub = Hub(f"http://127.0.0.1:{server.server_port}", files)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _reply(hub: Hub, path: str) -> tuple[int, bytes, dict[str, str]]:
    parts = path.strip("/").split("/")
    api = parts[:2] == ["api", "models"]
    repository = "/".join(parts[2:4] if api else parts[:2])
    if repository not in hub.files:
        return 401, b"{}", {"X-Error-Code": "RepoNotFound"}
    if repository in hub.gated:
        return 403, b"{}", {"X-Error-Code": "GatedRepo", "X-Error-Message": "gated"}
    commit, held = hub.commit(repository), hub.files[repository]
    action, revision = (parts[4], parts[5]) if api else (parts[2], parts[3])
    if revision not in ("main", commit):
        return 404, b"{}", {"X-Error-Code": "RevisionNotFound"}
    json_headers = {"Content-Type": "application/json"}
    if action == "revision":
        said = {"id": repository, "sha": commit, "siblings": [{"rfilename": n} for n in held]}
        return 200, json.dumps(said).encode(), json_headers
    if action == "tree":
        rows = [_entry(name, content) for name, content in held.items()]
        return 200, json.dumps(rows).encode(), json_headers
    name = "/".join(parts[4:])
    if name not in held:
        return 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit}
    tag = hashlib.sha256(held[name]).hexdigest()
    return 200, held[name], {"X-Repo-Commit": commit, "ETag": f'"{tag}"'}


def _entry(name: str, content: bytes) -> dict[str, object]:
    oid = hashlib.sha256(content).hexdigest()
    return {"type": "file", "path": name, "size": len(content), "oid": oid}
