"""The witness over HTTP: one endpoint, `POST add-checkpoint`, in the standard library's own server."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from selat.ledger.witness import MAX_BODY_BYTES, Reply, Witness

TIMEOUT_S = 10.0


def witness_server(witness: Witness, host: str, port: int) -> ThreadingHTTPServer:
    """A server bound to the address (port 0 takes a free one); call `serve_forever`. Raises: OSError."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = TIMEOUT_S

        def do_POST(self) -> None:
            length = self.headers.get("content-length", "")
            if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
                self.close_connection = True
                self._answer(Reply(413, f"a content-length up to {MAX_BODY_BYTES} is needed\n"))
            elif self.path.rstrip("/").rpartition("/")[2] != "add-checkpoint":
                self.rfile.read(int(length))
                self._answer(Reply(404, "POST add-checkpoint: c2sp.org/tlog-witness\n"))
            else:
                self._answer(witness.add_checkpoint(self.rfile.read(int(length))))

        def _answer(self, reply: Reply) -> None:
            body = reply.body.encode()
            self.send_response(reply.status)
            self.send_header("content-type", reply.type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a request's lines are no news."""

    return ThreadingHTTPServer((host, port), Handler)
