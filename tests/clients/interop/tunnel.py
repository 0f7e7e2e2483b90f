"""A proxy that looks at nothing: it joins CONNECT requests for known names to local ports and refuses every other.

The runs without authtape go through it, so that the clients see the same names and reach nothing but this machine.
"""

import selectors
import socket
import socketserver
import threading


class Tunnel(socketserver.ThreadingTCPServer):
    """Serves from construction to `shutdown`; `refused` lists what was asked for and not known, `accepted` counts connections."""

    daemon_threads = True

    def __init__(self, ports):
        """`ports` maps HOST:PORT to a local port."""
        super().__init__(("127.0.0.1", 0), Connection)
        self.ports, self.refused, self.accepted = ports, [], 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def verify_request(self, request, address):
        self.accepted += 1
        return True

    def handle_error(self, request, address):
        pass  # a peer that leaves is no news


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        method, target, _ = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        if method != "CONNECT" or target not in self.server.ports:
            self.server.refused.append(f"{method} {target}")
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.ports[target])) as upstream:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            join(self.connection, upstream)


def join(one, other):
    """Copies both ways until either side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for ready, _ in selector.select():
                data = ready.fileobj.recv(65536)
                if not data:
                    return
                ready.data.sendall(data)
