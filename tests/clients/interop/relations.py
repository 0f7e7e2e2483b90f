"""What was equal on the wire is equal in the cassette, what was different is different, and PKCE still adds up."""

import base64
import hashlib
import urllib.parse

from .cassette import Cassette
from .lab import Failure


def check_relations(path):
    """Every value that a client sends was given to it before, as far as the recording goes back."""
    given, wrong, is_indirect = {}, [], False
    interactions = Cassette(path).interactions
    for number, interaction in enumerate(interactions, 1):
        if interaction["kind"] == "authorize":
            is_indirect = "code" not in dict(received(interaction))
        for what, value in sent(interaction):
            # Of a login in several redirects only the first is stored; the code came with the last.
            if what == "code" and interaction["kind"] == "callback" and is_indirect:
                given.setdefault(what, set()).add(value)
            # A recording that begins after the login holds values whose origin it does not hold.
            if what in given and value not in given[what]:
                wrong.append(f"{number} sends a {what} that nobody gave")
        for what, value in received(interaction):
            if value in given.setdefault(what, set()) and what in FRESH:
                wrong.append(f"{number} gives a {what} that was given before")
            given[what].add(value)
    if wrong:
        raise Failure(f"{path.name}: relations are lost: {'; '.join(wrong)}")


# Values that a server gives out once.
FRESH = ("access token", "refresh token", "code")


def sent(interaction):
    """What a request proves knowledge of."""
    request = interaction["request"]
    headers = pairs(request.get("headers"))
    form = pairs(request.get("form")) or request.get("json") or dict(urllib.parse.parse_qsl(str(request.get("text"))))
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request["url"]).query))
    if interaction["kind"].startswith("mcp-") and "authorization" in headers:
        yield "access token", headers["authorization"].split()[1]
    if "mcp-session-id" in headers:
        yield "session id", headers["mcp-session-id"]
    if interaction["kind"] == "callback" and "code" in query:
        yield "code", query["code"]
    if interaction["kind"] == "callback":
        yield "state", query["state"]
    if interaction["kind"] == "authorize":
        yield "client id", query["client_id"]
    if interaction["kind"].startswith("token-"):
        yield "client id", form.get("client_id") or basic(headers["authorization"])
    if interaction["kind"] == "token-code":
        yield "code", form["code"]
        yield "PKCE challenge", challenge(form["code_verifier"])
    if interaction["kind"] == "token-refresh":
        yield "refresh token", form["refresh_token"]


def received(interaction):
    """What an interaction introduces."""
    request, response = interaction["request"], interaction.get("response") or {}
    headers, answer = pairs(response.get("headers")), response.get("json") or {}
    if interaction["kind"] == "dcr-create" and "client_id" in answer:
        yield "client id", answer["client_id"]
    if interaction["kind"] == "authorize":
        asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(request["url"]).query))
        yield "PKCE challenge", asked["code_challenge"]
        yield "state", asked["state"]
        told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(headers["location"]).query))
        if "code" in told:
            yield "code", told["code"]
    if interaction["kind"].startswith("token-"):
        yield from ((name.replace("_", " "), answer[name]) for name in ("access_token", "refresh_token") if name in answer)
    if interaction["kind"] == "mcp-request" and "mcp-session-id" in headers:
        yield "session id", headers["mcp-session-id"]


def basic(authorization):
    return base64.b64decode(authorization.split()[1]).decode().partition(":")[0]


def challenge(verifier):
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def pairs(listed):
    """A list of single pairs as a dictionary."""
    return {name: value for pair in listed or [] for name, value in pair.items()}
