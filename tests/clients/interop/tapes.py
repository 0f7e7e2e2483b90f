"""The tapes of `cassettes/`: who is recorded with which server, and what the file is there to show."""

import dataclasses

from .lab import URLS
from .scenarios import ASKED_FIRST, CLAUDE, DISCOVERY, INITIALIZED, LOGIN, TOOLS, Scenario, Step, claude_add

OLDER, NEWER, NONE = "2025-11-25", "2026-07-28", "none"
REGISTERED, SECRET = "lab-desktop", "lab-secret-5up3rs3cr3t-of-the-tape"
DOCUMENT = "https://client.example.test/oauth/client.json"
PORT = "21418"  # of every callback; below those that the system gives out

CLIENTS = {
    "reference": "`authtape client`",
    "claude": "Claude Code",
    "python": "Python SDK",
    "ts-v1": "TypeScript SDK v1",
    "ts-v2": "TypeScript client v2",
    "mcp-remote": "mcp-remote",
}
SERVERS = {"ts": "TypeScript SDK v1", "py": "Python SDK", "oidc": "oidc-provider and TypeScript SDK v1", "messages": "a stand-in"}


@dataclasses.dataclass
class Tape:
    """One file of `cassettes/`. Of `steps` exactly one is recorded."""

    name: str
    client: str  # of CLIENTS
    server: str  # of SERVERS
    era: str  # the MCP revision spoken, or NONE
    shows: str  # one line for a person
    steps: list
    kinds: tuple = ()  # what the file must hold, in this order
    options: dict = dataclasses.field(default_factory=dict)
    account: bool = False
    also: tuple = ()  # further servers

    def scenario(self):
        options, asks_model = {"LAB_PLANT": "no", **self.options}, self.client == "claude"
        return Scenario(self.name, self.server, self.steps, options, asks_model, account=self.account, also=self.also)


def tape(name, client, server, era, shows, step, *kinds, before=(), **more):
    step = dataclasses.replace(step, environment={"LAB_CALLBACK_PORT": PORT, **step.environment})
    before = [dataclasses.replace(earlier, recorded=False) for earlier in before]
    return Tape(name, client, server, era, shows, [*before, step], kinds, **more)


def reference(server, *options, tool="echo", arguments='{{"text": "hello from the lab"}}', says="hello from the lab", **more):
    command = ["{authtape}", "client", URLS[server], "--redirect-port", PORT, "--list", "--tool", tool, "--arguments", arguments, *options]
    return Step(command, says=says, **more)


def driver(name, server, *arguments, says="echo: hello from the lab"):
    return Step([name, URLS[server], *arguments], says=says)


def claude(*arguments, says, **more):
    environment = CLAUDE | {"MCP_OAUTH_CALLBACK_PORT": PORT, **more.pop("environment", {})}
    return Step(["claude", *arguments], says=says, environment=environment, **more)


def claude_login(server):
    return claude("mcp", "login", "lab", terminal=True, says="Authenticated", setup=[claude_add(server)])


def claude_asks():
    asks = ("-p", "call echo {prompt}", "--allowedTools", "mcp__lab__echo")
    return claude(*asks, says="echo: hello from the lab", environment={"ANTHROPIC_API_KEY": "{key}"})


TWO = f"{{authtape}} client {URLS['ts']} --redirect-port {PORT} --list && {{authtape}} client {URLS['oidc']} --redirect-port {PORT} --list"
CALL = "mcp-request tools/call"
REQUESTS = "7"  # of one start of `authtape client` with a bearer

TAPES = [
    tape(
        *("ts-v1-session", "ts-v1", "ts", OLDER),
        "login with dynamic registration, a session, SSE answers with event ids, the GET stream, a refresh after a 401, DELETE",
        driver("ts-v1", "ts"),
        *("mcp-request initialize", *LOGIN, *INITIALIZED, "token-refresh", *TOOLS, "mcp-delete"),
        options={"LAB_EXPIRE_AFTER": "3"},
    ),
    tape(
        *("python-stateless", "python", "py", NEWER),
        "login with dynamic registration on one origin, `server/discover`, JWT access tokens (HS256), JSON answers, no session",
        driver("python-client", "py"),
        *(*ASKED_FIRST, *LOGIN, *ASKED_FIRST, *TOOLS),
    ),
    tape(
        *("oidc-registration", "reference", "oidc", OLDER),
        "dynamic registration, a login in several redirects, JWT access tokens (RS256) for one resource, an id token, no session id",
        reference("oidc"),
        *(*LOGIN, *INITIALIZED, *TOOLS),
    ),
    tape(
        *("oidc-id-token", "ts-v1", "oidc", OLDER),
        "an id token beside the access token, verified by the client with the JWKS",
        driver("ts-v1", "oidc"),
        *(*LOGIN, "oidc-config", "jwks", *INITIALIZED, *TOOLS),
    ),
    tape(
        *("oidc-refresh", "reference", "oidc", OLDER),
        "two starts of a client; at the second the access token is refused, the refresh gives a JWT and rotates",
        reference("oidc", setup=[reference("oidc").command]),
        *(*LOGIN, *TOOLS, *ASKED_FIRST, "token-refresh", *ASKED_FIRST, *INITIALIZED, *TOOLS),
        options={"LAB_EXPIRE_AFTER": "6"},
    ),
    tape(
        *("oidc-static-client", "reference", "oidc", OLDER),
        "a confidential client that was registered beforehand (HTTP Basic); nobody registers",
        reference("oidc", "--client-id", REGISTERED, "--client-secret", SECRET),
        *(*DISCOVERY, "authorize", "callback", "token-code", *INITIALIZED, *TOOLS),
        options={"LAB_CLIENT": REGISTERED, "LAB_CLIENT_SECRET": SECRET, "LAB_REGISTRATION": "closed"},
    ),
    tape(
        *("oidc-client-document", "reference", "oidc", OLDER),
        "the client's id is the URL of a client id metadata document; nobody registers",
        reference("oidc", "--client-metadata-url", DOCUMENT),
        *(*DISCOVERY, "authorize", "callback", "token-code", *INITIALIZED, *TOOLS),
        options={"LAB_DOCUMENTS": "yes"},
    ),
    tape(
        *("step-up", "reference", "ts", OLDER),
        "a tool wants a scope that was not asked for: 403 insufficient_scope, a second authorization with more scope, success",
        reference("ts", tool="publish", says="published: hello from the lab"),
        *(*LOGIN, *INITIALIZED, *TOOLS, "authorize", "callback", "token-code", CALL),
        options={"LAB_TOOLS": "publish"},
    ),
    tape(
        *("no-refresh-token", "reference", "ts", OLDER),
        "two starts of a client; the server issues no refresh token, so at the second the whole login comes again",
        reference("ts", setup=[reference("ts").command]),
        *(*LOGIN, *TOOLS, *ASKED_FIRST, "authorize", "callback", "token-code", *TOOLS),
        options={"LAB_REFRESH": "none", "LAB_EXPIRE_AFTER": REQUESTS},
    ),
    tape(
        *("refresh-invalid-grant", "reference", "ts", OLDER),
        "two starts of a client; at the second the refresh is answered 400 invalid_grant and the client logs in anew",
        reference("ts", setup=[reference("ts").command]),
        *(*LOGIN, *TOOLS, *ASKED_FIRST, "token-refresh", "authorize", "callback", "token-code", *TOOLS),
        options={"LAB_REFRESH": "refused", "LAB_EXPIRE_AFTER": REQUESTS},
    ),
    tape(
        *("registration-refused", "reference", "ts", NONE),
        "dynamic registration is answered 400 invalid_client_metadata; there is no login",
        reference("ts", says="", status=1),
        *(*DISCOVERY, "dcr-create"),
        options={"LAB_REGISTRATION": "refused"},
    ),
    tape(
        *("registration-closed", "reference", "oidc", NONE),
        "dynamic registration is answered 401: only a client with an initial access token may register",
        reference("oidc", says="", status=1),
        *(*DISCOVERY, "dcr-create"),
        options={"LAB_REGISTRATION": "closed"},
    ),
    tape(
        *("access-denied", "reference", "ts", NONE),
        "the person says no: the redirect carries error=access_denied",
        reference("ts", says="", status=1),
        *(*DISCOVERY, "dcr-create", "authorize", "callback"),
        options={"LAB_PERSON": "refuses"},
    ),
    tape(
        *("unknown-session", "reference", "ts", OLDER),
        "the server forgets the session: 404, a new initialize, the same request again",
        reference("ts"),
        *(*LOGIN, *INITIALIZED, "mcp-request tools/list", CALL, *INITIALIZED, CALL, "mcp-delete"),
        options={"LAB_FORGET_AFTER": "3"},
    ),
    tape(
        *("progress", "ts-v1", "ts", OLDER),
        "a tool tells its progress: notifications on the stream of its own answer",
        driver("ts-v1", "ts", "count", '{{"to": 3}}', says="counted to 3"),
        *(*LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"),
        options={"LAB_TOOLS": "count"},
    ),
    tape(
        *("polling", "reference", "ts", OLDER),
        "the server ends the stream before the answer and the client comes back for it with Last-Event-ID (SEP-1699)",
        reference("ts", tool="poll"),
        *(*LOGIN, *INITIALIZED, *TOOLS, "mcp-resume", "mcp-delete"),
        options={"LAB_TOOLS": "poll"},
    ),
    tape(
        *("stateless-older", "ts-v1", "ts", OLDER),
        "a server of the older revision without sessions: no session id, JSON answers, GET 405",
        driver("ts-v1", "ts"),
        *(*LOGIN, *INITIALIZED, *TOOLS),
        options={"LAB_STATELESS": "yes"},
    ),
    tape(
        *("tool-fails", "reference", "ts", OLDER),
        "a tool that fails: isError in its result",
        reference("ts", tool="fail", arguments="{{}}", says="the disk is full", status=1),
        *(*LOGIN, *INITIALIZED, *TOOLS),
        options={"LAB_TOOLS": "fail"},
    ),
    tape(
        *("tool-unknown", "reference", "py", NEWER),
        "a tool that the server does not have: isError in its result",
        reference("py", tool="sing", says="", status=1),
        *(*LOGIN, *ASKED_FIRST, *TOOLS),
    ),
    tape(
        *("invalid-params", "reference", "py", NEWER),
        "a tool refuses its arguments: JSON-RPC error -32602",
        reference("py", tool="dial", says="", status=1),
        *(*LOGIN, *ASKED_FIRST, *TOOLS),
        options={"LAB_TOOLS": "dial"},
    ),
    tape(
        *("begins-logged-in", "reference", "ts", OLDER),
        "the client has tokens from before the recording; the access token is refused and the refresh token holds",
        reference("ts"),
        *(*ASKED_FIRST, "token-refresh", *ASKED_FIRST, *INITIALIZED, *TOOLS, "mcp-delete"),
        options={"LAB_EXPIRE_AFTER": REQUESTS},
        before=[reference("ts")],
    ),
    tape(
        *("claude-login", "claude", "ts", NONE),
        "`claude mcp login`: discovery twice at once, registration, callback; nothing is sent to the MCP server",
        claude_login("ts"),
        *LOGIN,
    ),
    tape(
        *("claude-list", "claude", "ts", OLDER),
        "`claude mcp list`, logged in before: it asks for the newer revision, then speaks the older one; GET stream",
        claude("mcp", "list", says="Connected"),
        *(*ASKED_FIRST, *INITIALIZED),
        before=[claude_login("ts")],
    ),
    tape(
        *("claude-asks", "claude", "ts", OLDER),
        "`claude -p` with one tool call, logged in before; of the model API only heads are kept",
        claude_asks(),
        *(*ASKED_FIRST, *INITIALIZED, "llm-api", CALL, "llm-api"),
        before=[claude_login("ts")],
    ),
    tape(
        *("claude-whole", "claude", "ts", OLDER),
        "add, login, list, one turn with a tool call, logout: five starts of Claude Code in one file",
        dataclasses.replace(
            claude("mcp", "logout", "lab", says="Signed out"),
            setup=[claude_add("ts"), claude_login("ts").command, ["claude", "mcp", "list"], claude_asks().command],
            environment=claude_asks().environment,
        ),
        *(*LOGIN, *ASKED_FIRST, *INITIALIZED, *ASKED_FIRST, *INITIALIZED, "llm-api", CALL, "llm-api", "revoke", "revoke"),
    ),
    tape(
        *("claude-newer", "claude", "py", NEWER),
        "`claude -p` with one tool call, logged in before: `subscriptions/listen` as an SSE answer that stays open",
        claude_asks(),
        *(*ASKED_FIRST, "llm-api", CALL, "llm-api"),
        before=[claude_login("py")],
    ),
    tape(
        *("claude-client-document", "claude", "oidc", NONE),
        "`claude mcp login` with Claude Code's own client id metadata document",
        claude_login("oidc"),
        *(*DISCOVERY, "authorize", "callback", "token-code"),
        options={"LAB_DOCUMENTS": "yes"},
    ),
    tape(
        *("mcp-remote", "mcp-remote", "ts", OLDER),
        "mcp-remote as a desktop client uses it: login, short-lived tokens, a refresh ahead of the call",
        driver("mcp-remote-stdio", "ts"),
        *(*LOGIN, *INITIALIZED, *TOOLS),
        options={"LAB_ACCESS_TTL": "5"},
    ),
    tape(
        *("ts-v2-newer", "ts-v2", "py", NEWER),
        "the TypeScript client v2, which asks for the newer revision first",
        driver("ts-v2", "py", "auto"),
        *(*ASKED_FIRST, *LOGIN, *ASKED_FIRST, *TOOLS),
    ),
    tape(
        *("claude-account-login", "claude", "messages", NONE),
        "Claude Code's own login (`claude auth login`): the token endpoint takes JSON, the model API and the account are the resource",
        claude("-p", "say something {prompt}", says="No tool was offered.", setup=["claude", "auth", "login", "--claudeai"]),
        *("authorize", "callback", "token-code", "account-api", "llm-api"),
        options={"LAB_LOGIN": "open"},
    ),
    tape(
        *("claude-account-renewed", "claude", "messages", NONE),
        "Claude Code's own login with dummy tokens: the model API answers 401, the refresh succeeds, the model answers",
        claude("-p", "say something {prompt}", says="No tool was offered."),
        *("llm-api", "token-refresh", "llm-api"),
        options={"LAB_LOGIN": "renewed"},
        account=True,
    ),
    tape(
        *("claude-account-refused", "claude", "messages", NONE),
        "Claude Code's own login with dummy tokens: the model API answers 401, the refresh 400 invalid_grant (claude-code #54443)",
        claude("-p", "say something {prompt}", says="", status=1),
        *("llm-api", "token-refresh"),
        options={"LAB_LOGIN": "refused"},
        account=True,
    ),
    tape(
        *("ts-v1-python", "ts-v1", "py", OLDER),
        "the Python SDK's server in the older revision: a session, SSE answers with CRLF, DELETE",
        driver("ts-v1", "py"),
        *("mcp-request initialize", *LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"),
    ),
    tape(
        *("progress-newer", "python", "py", NEWER),
        "a tool tells its progress in an SSE answer of the newer revision",
        driver("python-client", "py", "count", '{{"to": 3}}', says="counted to 3"),
        *(*LOGIN, *ASKED_FIRST, *TOOLS),
        options={"LAB_TOOLS": "count"},
    ),
    tape(
        *("two-servers", "reference", "ts", OLDER),
        "two MCP servers, each with an authorization server of its own, and a login to each",
        Step(["sh", "-c", TWO], says="echo"),
        *(*LOGIN, *INITIALIZED, "mcp-request tools/list", *LOGIN, *INITIALIZED, "mcp-request tools/list"),
        also=("oidc",),
    ),
    tape(
        *("logout", "reference", "py", NONE),
        "the refresh token and the access token are revoked (RFC 7009)",
        Step(["{authtape}", "client", URLS["py"], "--logout"]),
        "revoke",
        before=[reference("py")],
    ),
]
