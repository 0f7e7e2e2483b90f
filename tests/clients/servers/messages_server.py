#!/usr/bin/env python3
"""A canned model API (api.anthropic.com, platform.claude.com): enough for one turn of Claude Code.

POST /v1/messages calls the tool mcp__lab__echo once and then says a final sentence; every other path answers 404, which
Claude Code takes calmly. Every request is logged and every key received is noted. With LAB_LOGIN it wants the access token of an
account: `open` lets everybody log in, at the other values only a refresh could give one, and is `renewed` or `refused`.

Environment: LAB_RECORD, LAB_CERT, LAB_KEY, LAB_LOGIN. Prints {"port": N} when it listens.
"""

import base64
import hashlib
import http.server
import json
import os
import re
import secrets
import ssl
import urllib.parse

from witness import Watched, log, note, secret

TOOL = "mcp__lab__echo"
MESSAGE = {"id": "msg_lab", "type": "message", "role": "assistant", "model": "lab", "stop_sequence": None}
NOT_HERE = {"type": "error", "error": {"type": "not_found_error", "message": "not here"}}
EXPIRED = {"type": "error", "error": {"type": "authentication_error", "message": "OAuth token has expired. Please refresh it."}}
GONE = {"error": "invalid_grant", "error_description": "Refresh token not found or invalid"}
LOGIN = os.environ.get("LAB_LOGIN")
ACCOUNT = {"uuid": secret("account", secrets.token_hex(16)), "email_address": secret("person", f"{secrets.token_hex(8)}@people.test")}
GIVEN = set()  # access tokens
CODES = {}  # code → challenge and redirect URI
PROFILE = {
    "account": {"uuid": ACCOUNT["uuid"], "email": ACCOUNT["email_address"]},
    "organization": {"organization_type": "claude_max", "rate_limit_tier": "default_claude_max_5x"},
}
USAGE = {"input_tokens": 1, "output_tokens": 1}


def next_block(request):
    """The assistant's next content block: the tool call, or after its result (or without the tool) the final text."""
    offered = any(tool.get("name") == TOOL for tool in request.get("tools", []))
    last = request["messages"][-1]["content"]
    answered = isinstance(last, list) and any(part.get("type") == "tool_result" for part in last)
    if offered and not answered:
        return {"type": "tool_use", "id": "toolu_lab", "name": TOOL, "input": {"text": "hello from the lab"}}
    if not answered:
        return {"type": "text", "text": "No tool was offered."}
    heard = re.search(r"echo: [a-z ]+", json.dumps(last))
    return {"type": "text", "text": f"The tool said: {heard[0] if heard else 'something else'}"}


def whole(block):
    stop = "tool_use" if block["type"] == "tool_use" else "end_turn"
    return {**MESSAGE, "content": [block], "stop_reason": stop, "usage": USAGE}


def streamed(block):
    if block["type"] == "tool_use":
        empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
    else:
        empty, delta = {**block, "text": ""}, {"type": "text_delta", "text": block["text"]}
    yield {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": USAGE}}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "message_delta", "delta": {"stop_reason": whole(block)["stop_reason"], "stop_sequence": None}, "usage": USAGE}
    yield {"type": "message_stop"}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode(errors="replace")
        headers = {name.lower(): value for name, value in self.headers.items()}
        is_token, is_message = url.path == "/v1/oauth/token", url.path == "/v1/messages"
        note(headers, url.query, body if is_token else "")
        is_person = headers.get("authorization", "").partition(" ")[2] in GIVEN
        if LOGIN == "open" and url.path.endswith("/oauth/authorize"):
            self.authorize(dict(urllib.parse.parse_qsl(url.query)))
        elif LOGIN and self.command == "POST" and is_token:
            self.issue(json.loads(body))
        elif LOGIN and is_person and url.path == "/api/oauth/profile":
            self.json(200, PROFILE)
        elif LOGIN and is_message and not is_person:
            self.json(401, EXPIRED)
        elif self.command == "POST" and is_message:
            self.message(json.loads(body))
        else:
            self.json(404, NOT_HERE)
        log(self.command, self.headers.get("host"), url.path, None, self.status)

    do_POST = do_PUT = do_HEAD = do_GET

    def message(self, request):
        block = next_block(request)
        if request.get("stream"):
            events = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in streamed(block))
            self.answer(200, "text/event-stream", events)
        else:
            self.json(200, whole(block))

    def authorize(self, request):
        """The person says yes."""
        code = secret("code", secrets.token_urlsafe(30))
        CODES[code] = request["code_challenge"], request["redirect_uri"]
        answer = urllib.parse.urlencode({"code": code, "state": request["state"]})
        self.answer(302, "text/html", "", {"location": f"{request['redirect_uri']}?{answer}"})

    def issue(self, request):
        """The account's tokens, for a code or for a refresh."""
        if LOGIN == "open":
            digest = hashlib.sha256(request.get("code_verifier", "").encode()).digest()
            shown = base64.urlsafe_b64encode(digest).decode().rstrip("="), request.get("redirect_uri")
            if shown != CODES.pop(request.get("code"), None):
                return self.json(400, GONE)
        elif LOGIN == "refused":
            return self.json(400, GONE)
        access, refresh = (secret(what, f"sk-ant-{what}01-{secrets.token_urlsafe(60)}") for what in ("oat", "ort"))
        GIVEN.add(access)
        tokens = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 28800}
        self.json(200, tokens | {"scope": request.get("scope", "user:inference user:profile"), "account": ACCOUNT})

    def json(self, status, value):
        self.answer(status, "application/json", json.dumps(value))

    def answer(self, status, content_type, text, headers=()):
        self.status = status
        self.send_response(status)
        for name, value in {"content-type": content_type, **dict(headers)}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(text.encode())))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Listener(http.server.ThreadingHTTPServer):
    """TLS begins in the connection's own thread, so a silent peer holds nobody up."""

    daemon_threads = True
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)

    def __init__(self, address, handler):
        super().__init__(address, handler, bind_and_activate=False)
        self.socket.close()
        self.socket = Watched()
        self.server_bind()
        self.server_activate()

    def finish_request(self, request, address):
        with self.context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, address)

    def handle_error(self, request, address):
        pass  # a peer that leaves is no news


if __name__ == "__main__":
    Listener.context.load_cert_chain(os.environ["LAB_CERT"], os.environ["LAB_KEY"])
    server = Listener(("127.0.0.1", 0), Answer)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()
