#!/usr/bin/env python3
"""A canned model API (api.anthropic.com, platform.claude.com): enough for one turn of Claude Code.

POST /v1/messages calls the tool mcp__lab__echo once and then says a final sentence; every other path answers 404, which
Claude Code takes calmly. Every request is logged and every key received is noted.

Environment: LAB_RECORD, LAB_CERT, LAB_KEY. Prints {"port": N} when it listens.
"""

import http.server
import json
import os
import re
import ssl
import urllib.parse

from witness import Watched, log, note

TOOL = "mcp__lab__echo"
MESSAGE = {"id": "msg_lab", "type": "message", "role": "assistant", "model": "lab", "stop_sequence": None}
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
        note({name.lower(): value for name, value in self.headers.items()}, url.query, "")
        if self.command == "POST" and url.path == "/v1/messages":
            self.message(json.loads(body))
        else:
            self.answer(404, "application/json", '{"type":"error","error":{"type":"not_found_error","message":"not here"}}')
        log(self.command, self.headers.get("host"), url.path, None, self.status)

    do_POST = do_PUT = do_HEAD = do_GET

    def message(self, request):
        block = next_block(request)
        if request.get("stream"):
            events = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in streamed(block))
            self.answer(200, "text/event-stream", events)
        else:
            self.answer(200, "application/json", json.dumps(whole(block)))

    def answer(self, status, content_type, text):
        self.status = status
        self.send_response(status)
        self.send_header("content-type", content_type)
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
