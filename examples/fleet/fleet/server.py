"""What both apps are made of."""

import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(port: str, default: int, answer: Callable[[str], str]) -> None:
    """Answer GET requests with text, on the port that an environment variable names."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answer(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    address = ("127.0.0.1", int(os.environ.get(port, default)))
    with ThreadingHTTPServer(address, Handler) as server:
        print(f"listening on http://{address[0]}:{server.server_port}/", flush=True)
        server.serve_forever()
