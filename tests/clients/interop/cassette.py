"""What a cassette says, read with PyYAML and nothing of authtape's, and held against the servers' own logs."""

import collections
import json
import urllib.parse

import yaml

from .lab import HOSTS, Failure


class Cassette:
    """A finished cassette: its `header`, its `interactions`, in order, and the `events` of connections without a request."""

    def __init__(self, path):
        self.text = path.read_text()
        try:
            self.header, *documents = yaml.load_all(self.text, Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, ValueError) as error:
            raise Failure(f"{path.name} is no YAML: {error}") from None
        if self.header.get("authtape") != 1 or self.header.get("finished") is not True:
            raise Failure(f"{path.name} is no finished cassette: {self.header}")
        self.interactions = [document for document in documents if "interaction" in document]
        self.events = [document for document in documents if "event" in document]
        numbers = [interaction["interaction"] for interaction in self.interactions]
        if numbers != sorted(set(numbers)):
            raise Failure(f"{path.name}: interactions out of order: {numbers}")

    def labels(self):
        """Each interaction in a word or two: its kind, and of a JSON-RPC message the method."""
        return [label(interaction) for interaction in self.interactions]

    def hosts(self):
        """Every host that the client made a request to, stored or only counted."""
        stored = {urllib.parse.urlsplit(interaction["request"]["url"]).hostname for interaction in self.interactions}
        return stored | {passed["host"] for passed in self.header.get("passed", [])}

    def requests(self, hosts):
        """The interactions with `hosts`, counted: (kind, method, host, path, status or None) → how often."""
        counted = collections.Counter()
        for interaction in self.interactions:
            request, response = interaction["request"], interaction.get("response") or {}
            url = urllib.parse.urlsplit(request["url"])
            if url.hostname in hosts:
                counted[label(interaction), request["method"], url.hostname, url.path, response.get("status")] += 1
        return counted


def label(interaction):
    request = interaction["request"]
    message = request.get("json")
    if message is None and interaction["kind"].startswith("mcp-"):
        message = json.loads(request.get("text") or request.get("json_text") or "null")
    method = message.get("method") if isinstance(message, dict) else None
    return f"{interaction['kind']} {method}" if method else interaction["kind"]


def check_order(path, chain):
    """Each label of `chain` must follow the one before it, others in between allowed."""
    labels = Cassette(path).labels()
    rest = iter(labels)
    for wanted in chain:
        if wanted not in rest:
            raise Failure(f"{wanted!r} is missing from {path.name}, or comes too early, in {labels}; wanted in this order: {chain}")


def check_peers(path):
    """Every host is one of ours, and no client refused a certificate or spoke past the proxy."""
    cassette = Cassette(path)
    foreign = cassette.hosts() - {*HOSTS, "localhost", "127.0.0.1"}
    if foreign:
        raise Failure(f"{path.name}: a client wanted to leave this machine: {foreign}")
    trouble = [event for event in cassette.events if event["event"] in ("tls-handshake-failed", "not-http")]
    if trouble:
        raise Failure(f"{path.name}: connections failed: {trouble}")


def check_complete(paths, answered):
    """Everything the servers answered is recorded once, under the right kind, and nothing else is.

    `answered` counts (method, host, path, detail, status). A request that the client left has no recorded status.
    """
    hosts = {host for _, host, *_ in answered}
    recorded = sum((Cassette(path).requests(hosts) for path in paths), collections.Counter())
    expected = collections.Counter()
    for (method, host, path, detail, status), count in answered.items():
        kind = expected_label(method, path, detail)
        if kind:
            left = recorded.pop((kind, method, host, path, None), 0)
            recorded[kind, method, host, path, status] += left
            expected[kind, method, host, path, status] += count
    lost, invented = expected - recorded, recorded - expected
    if lost or invented:
        raise Failure(f"answered by the servers, not recorded: {dict(lost)}; recorded, not answered: {dict(invented)}")


WELL_KNOWN = {"/.well-known/oauth-protected-resource": "prm", "/.well-known/oauth-authorization-server": "as-metadata"}
ENDPOINTS = {"/register": "dcr-create", "/authorize": "authorize", "/revoke": "revoke"}
GRANTS = {"authorization_code": "token-code", "refresh_token": "token-refresh"}
MCP = {"GET": "mcp-get-stream", "DELETE": "mcp-delete"}


def expected_label(method, path, detail):
    """What an interaction must be called, from what the server knows; None for what is not stored."""
    if path == "/mcp" and method == "POST":
        return f"mcp-{'notification' if detail.startswith('notifications/') else 'request'} {detail}"
    if path == "/mcp":
        return MCP[method]
    if path == "/token":
        return GRANTS[detail]
    for prefix, kind in WELL_KNOWN.items():
        if path.startswith(prefix):
            return kind
    return ENDPOINTS.get(path)
