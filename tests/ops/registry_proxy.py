"""A proxy on loopback that connects the registry's host name to the AWS emulator, and can change the answers."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.embedded_aws import EmbeddedAws


@dataclass(frozen=True)
class Request:
    """A request that came through the proxy. It shows whether the request had a login, but not the login."""

    host: str
    method: str
    path: str
    has_login: bool


@dataclass
class Reply:
    """An answer. A test can return another one, or change this one."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Change = Callable[[Request, Callable[[], Reply]], Reply]


class RegistryProxy(ThreadingHTTPServer):
    """Answer for every host with the emulator's certificate.

    Attributes:
        seen: the requests since the start of the last `changed` block.
        change: a function that answers a request, or None. Its second argument asks the emulator.
    """

    daemon_threads = True

    def __init__(self, aws: EmbeddedAws) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.aws = aws
        self.seen: list[Request] = []
        self.change: Change | None = None
        tls = aws.ca_bundle.parent
        self.server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server_tls.load_cert_chain(tls / "server.pem", tls / "server.key")
        self.client_tls = ssl.create_default_context(cafile=str(aws.ca_bundle))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @contextmanager
    def changed(self, change: Change) -> Iterator[None]:
        """Change the answers until the end of the `with` statement."""
        self.seen.clear()
        self.change = change
        try:
            yield
        finally:
            self.change = None

    def handle_error(self, *_arguments: Any) -> None:
        """Print nothing: a client may close its connection at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RegistryProxy
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.removesuffix(":443")
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.server_tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.close_connection = False

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.host, self.command, self.path, "Authorization" in self.headers)
        self.server.seen.append(request)
        change = self.server.change
        reply = change(request, lambda: self._forward(body)) if change else self._forward(body)
        self.send_response_only(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else reply.body)
        self.wfile.flush()
        self.close_connection = True

    do_GET = do_HEAD = do_POST = do_DELETE = _answer

    def _forward(self, body: bytes) -> Reply:
        connection = HTTPSConnection("127.0.0.1", self.server.aws.port, timeout=10, context=self.server.client_tls)
        try:
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            names = ("content-length", "connection", "transfer-encoding")
            headers = {name.title(): value for name, value in answer.getheaders() if name.lower() not in names}
            return Reply(answer.status, headers, answer.read())
        finally:
            connection.close()

    def log_message(self, *_arguments: Any) -> None:
        """Print nothing."""
