"""What a server of the interop suite knows about itself, as JSON lines in the file LAB_RECORD:

    {"secret": VALUE, "what": NAME}     every secret value it issued or received, once
    {"request": N, "method", "host", "path", "detail", "status"}   every request, when its answer is over
    {"connection": N}               every connection, before it says anything

The checks hold a recording against these lines, so nothing here is taken from authtape. (witness.cjs is the same for node.)
"""

import base64
import itertools
import json
import os
import socket
import urllib.parse

# Parameters, JSON members and headers whose value is a secret wherever they occur.
SECRET_FIELDS = (
    "access_token refresh_token id_token token code code_verifier code_challenge state client_secret "
    "registration_access_token client_assertion assertion"
).split()
SECRET_HEADERS = "mcp-session-id last-event-id cookie x-api-key".split()

_record = open(os.environ["LAB_RECORD"], "a", buffering=1)
_seen = set()
_numbers = itertools.count(1)
_connections = itertools.count(1)


def write(line):
    _record.write(json.dumps(line) + "\n")


def secret(what, value):
    if isinstance(value, str) and value and value not in _seen:
        _seen.add(value)
        write({"secret": value, "what": what})
    return value


def note(headers, query, body):
    """Notes the secrets of one request; `headers` has lower-case names, `body` is text. Returns what the request asks for."""
    fields = fields_of(headers.get("content-type", ""), body)
    for source in (dict(urllib.parse.parse_qsl(query)), fields):
        for name in SECRET_FIELDS:
            secret(name, source.get(name))
    for name in SECRET_HEADERS:
        secret(name, headers.get(name))
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    secret("authorization", credentials)
    if scheme.lower() == "basic":
        secret("basic", base64.b64decode(credentials).decode())
    return fields.get("method") or fields.get("grant_type")


def fields_of(content_type, body):
    if content_type.startswith("application/json") and body:
        return json.loads(body)
    if "urlencoded" in content_type:
        return dict(urllib.parse.parse_qsl(body))
    return {}


def log(method, host, path, detail, status):
    write({"request": next(_numbers), "method": method, "host": host, "path": path, "detail": detail, "status": status})


class Watched(socket.socket):
    """A listening socket that logs each connection it accepts."""

    def accept(self):
        accepted = super().accept()
        write({"connection": next(_connections)})
        return accepted


class Witness:
    """ASGI middleware that notes and logs each request of `app`."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        body, messages = b"", []
        while not messages or messages[-1].get("more_body"):
            messages.append(await receive())
            body += messages[-1].get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        detail = note(headers, scope["query_string"].decode(), body.decode())
        status = None

        async def replay():
            return messages.pop(0) if messages else await receive()

        async def watch(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                for name, value in message["headers"]:
                    if name.decode().lower() in SECRET_HEADERS:
                        secret(name.decode(), value.decode())
            await send(message)

        try:
            await self.app(scope, replay, watch)
        finally:
            log(scope["method"], headers.get("host"), scope["path"], detail, status)
