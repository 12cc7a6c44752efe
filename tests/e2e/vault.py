"""A stub of HashiCorp Vault. It answers reads of connections in the key-value engine, version 2."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "token-of-vault"
PATH = "/v1/secret/data/connections/"  # the default paths of Airflow's VaultBackend


@contextmanager
def vault(connections: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Serve these connections until the end of the `with` block, and yield the URL."""

    class Reads(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = connections.get(self.path.partition("?")[0].removeprefix(PATH))
            if self.headers["X-Vault-Token"] != TOKEN:
                self.answer(403, {"errors": ["permission denied"]})
            elif connection is None:
                self.answer(404, {"errors": []})
            else:
                self.answer(200, {"data": {"data": connection, "metadata": {"version": 1}}})

        def answer(self, status: int, body: Mapping[str, Any]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Reads) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
