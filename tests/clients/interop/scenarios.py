"""The scenarios: which client does what with which server, the kinds its recording must show, in order, and how a replay differs."""

import dataclasses

from .lab import URLS

# Kinds, as the steps of a login and of a session. A scenario's chain need not name everything between.
DISCOVERY = ["prm", "as-metadata"]
LOGIN = [*DISCOVERY, "dcr-create", "authorize", "callback", "token-code"]
ASKED_FIRST = ["mcp-request server/discover"]
INITIALIZED = ["mcp-request initialize", "mcp-notification notifications/initialized"]
TOOLS = ["mcp-request tools/list", "mcp-request tools/call"]
STREAM = ["mcp-notification notifications/initialized", "mcp-get-stream"]
EARLY_EXPIRY = ("401", "/.well-known/", "token-refresh", "mcp-get-stream")  # a token that ended before its time, and what came of it
REFRESHED = ["token-code", "token-refresh", "mcp-request tools/call"]


@dataclasses.dataclass
class Step:
    """One client process. In its command and its environment `{key}` and `{prompt}` stand for secrets of the run, and
    `{authtape}` for the program under test."""

    command: list
    chains: list = ()  # each a list of labels that must occur in this order
    recorded: bool = True
    terminal: bool = False
    setup: list = ()  # commands, each for a --setup; without authtape they are run before
    screen: list = ()  # of a full-screen client: (pattern to wait for, keys to type then)
    says: str = ""  # must be in the output
    status: int = 0  # with which it ends; the scenarios compare it with a run without authtape
    prints: tuple = ()  # secrets that the client itself shows the person
    environment: dict = dataclasses.field(default_factory=dict)
    apart: list = dataclasses.field(default_factory=list)  # what brings an empty home to where the step begins; None: nothing does


@dataclasses.dataclass
class Scenario:
    name: str
    server: str
    steps: list
    options: dict = dataclasses.field(default_factory=dict)  # the server's
    canned_model: bool = False
    also: tuple = ()  # further servers
    account: bool = False  # Claude Code has an account's tokens from before
    reverse: bool = False  # the client heeds no proxy and gets the plain URL of a reverse listener
    chained: bool = False  # names resolve only in a proxy that the caller's environment names
    volatile: tuple = ()  # requests whose number differs from run to run without authtape too
    unplayed: tuple = ()  # requests that follow from trouble on the tape (an early 401) that a replay does not make again


URL_SHOWN = ("client_id", "state", "code_challenge")


def driver(name, server, *chains, argument=None, prints=()):
    command = [name, URLS[server], *([argument] if argument else [])]
    return Step(command, chains=list(chains), says="echo: hello from the lab", prints=prints)


def reference_client(server, *options, **more):
    return Step(["{authtape}", "client", URLS[server], *options], prints=("planted in a tool result",), **more)


ECHO = ("--list", "--tool", "echo", "--arguments", '{{"text": "hello from the lab"}}')


# Claude Code. Everything it calls besides the model is switched on: a recording must cope with it.
CLAUDE = {"DISABLE_AUTOUPDATER": "1", "ENABLE_TOOL_SEARCH": "false"}


def claude(*arguments, **more):
    return Step(["claude", *arguments], environment=CLAUDE, **more)


def claude_add(server):
    return ["claude", "mcp", "add", "--transport", "http", "lab", URLS[server]]


def claude_logged_in(server):
    return [claude_add(server), ["claude", "mcp", "login", "lab"]]


def claude_asks(server, *chains):
    step = claude("-p", "call echo {prompt}", "--allowedTools", "mcp__lab__echo", chains=list(chains), says="echo: hello from the lab")
    key = CLAUDE | {"ANTHROPIC_API_KEY": "{key}"}
    return dataclasses.replace(step, environment=key, apart=claude_logged_in(server))


PROMPT = r"❯\s*\n"
CLAUDE_SCREEN = [
    (PROMPT, ["/mcp", "Enter"]),
    (r"❯ .*lab", ["Enter"]),
    (r"❯ Authenticate", ["Enter"]),
    (rf"Signed in and connected[^❯]*{PROMPT}", ["/mcp", "Enter"]),
    (r"✔ lab\s+1 tool", ["Escape"]),  # not before: a prompt at once is sent to the model without the new tool
    (rf"dismissed[^❯]*{PROMPT}", ["call echo", "Enter"]),
    (rf"echo: hello from the lab[^❯]*{PROMPT}", ["/exit", "Enter"]),
]
CLAUDE_RACES = ("GET", "subscriptions/listen", "prompts/list", "resources/list")

SCENARIOS = [
    Scenario(
        "claude-ts",
        "ts",
        [
            Step(claude_add("ts"), recorded=False, environment=CLAUDE),
            claude(
                *("mcp", "login", "lab"), terminal=True, chains=[LOGIN], says="Authenticated", prints=URL_SHOWN, apart=[claude_add("ts")]
            ),
            claude("mcp", "list", chains=[[*ASKED_FIRST, *INITIALIZED]], says="Connected", apart=claude_logged_in("ts")),
            claude_asks("ts", [*ASKED_FIRST, *INITIALIZED, *TOOLS], ["llm-api", "mcp-request tools/call", "llm-api"]),
            # This tape holds the authorization server alone: nobody could log in to it.
            claude("mcp", "logout", "lab", chains=[["as-metadata", "revoke", "revoke"]], says="Signed out", apart=None),
        ],
        canned_model=True,
        volatile=CLAUDE_RACES,
    ),
    Scenario(
        "claude-tui",
        "ts",
        [
            Step(claude_add("ts"), recorded=False, environment=CLAUDE),
            Step(
                ["claude", "--allowedTools", "mcp__lab__echo"],
                chains=[[*ASKED_FIRST, *LOGIN, *INITIALIZED, *TOOLS], ["llm-api", "mcp-request tools/call", "llm-api"]],
                screen=CLAUDE_SCREEN,
                environment=CLAUDE | {"ANTHROPIC_API_KEY": "{key}"},
                apart=[claude_add("ts")],
            ),
        ],
        canned_model=True,
        volatile=(*CLAUDE_RACES, "/.well-known/"),
    ),
    Scenario(
        "claude-py",
        "py",
        [
            claude(
                *("mcp", "login", "lab"),
                setup=[claude_add("py")],
                terminal=True,
                chains=[[*LOGIN, "token-refresh"]],
                says="Authenticated",
                prints=(*URL_SHOWN, "home"),
                apart=[claude_add("py")],
            ),
            claude_asks("py", ["as-metadata", "token-refresh", *ASKED_FIRST, *TOOLS], ["llm-api", "mcp-request tools/call", "llm-api"]),
        ],
        options={"LAB_ACCESS_TTL": "200"},  # within the margin in which Claude Code refreshes ahead
        canned_model=True,
        volatile=(*CLAUDE_RACES, "refresh_token", "token-refresh"),
    ),
    Scenario(
        "python-ts",
        "ts",
        [driver("python-client", "ts", [*ASKED_FIRST, *LOGIN, *ASKED_FIRST, *INITIALIZED, *TOOLS, "mcp-delete"], STREAM)],
    ),
    Scenario("python-py", "py", [driver("python-client", "py", [*ASKED_FIRST, *LOGIN, *ASKED_FIRST, *TOOLS])]),
    Scenario(
        "ts-v1-ts",
        "ts",
        [
            driver(
                "ts-v1",
                "ts",
                ["mcp-request initialize", *LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"],
                ["mcp-request tools/list", *DISCOVERY, "token-refresh", "mcp-request tools/list"],
                STREAM,
            )
        ],
        options={"LAB_EXPIRE_AFTER": "3"},
        volatile=("401",),
        unplayed=EARLY_EXPIRY,
    ),
    Scenario("ts-v1-py", "py", [driver("ts-v1", "py", ["mcp-request initialize", *LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"])]),
    Scenario("ts-v2-ts", "ts", [driver("ts-v2", "ts", ["mcp-request initialize", *LOGIN, *INITIALIZED, *TOOLS], STREAM)]),
    Scenario("ts-v2-py", "py", [driver("ts-v2", "py", [*ASKED_FIRST, *LOGIN, *ASKED_FIRST, *TOOLS], argument="auto")]),
    Scenario(
        "mcp-remote-ts",
        "ts",
        [driver("mcp-remote-stdio", "ts", [*LOGIN, *INITIALIZED, *TOOLS], REFRESHED, prints=URL_SHOWN)],
        options={"LAB_ACCESS_TTL": "5"},
        volatile=("refresh_token", "token-refresh"),
    ),
    Scenario("mcp-remote-py", "py", [driver("mcp-remote-stdio", "py", [*LOGIN, *INITIALIZED, *TOOLS], prints=URL_SHOWN)]),
    Scenario(
        "reference-ts",
        "ts",
        [
            reference_client("ts", *ECHO, chains=[[*ASKED_FIRST, *LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"], REFRESHED], says="echo: "),
            reference_client(
                *("ts", *ECHO),
                chains=[[*ASKED_FIRST, *INITIALIZED, *TOOLS, "mcp-delete"]],
                says="echo: ",
                apart=[reference_client("ts", "--list").command],
            ),
            reference_client("ts", "--logout", chains=[["revoke"]], apart=None),
        ],
        options={"LAB_EXPIRE_AFTER": "3"},
        volatile=("401",),
        unplayed=EARLY_EXPIRY,
    ),
    Scenario("reference-py", "py", [reference_client("py", *ECHO, chains=[[*ASKED_FIRST, *LOGIN, *ASKED_FIRST, *TOOLS]], says="echo: ")]),
    Scenario("heedless", "ts", [driver("ts-v1", "ts", [*LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"])], reverse=True),
    Scenario("corporate-proxy", "ts", [driver("ts-v1", "ts", [*LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"])], chained=True),
    Scenario(
        "two-at-once",
        "ts",
        [
            Step(
                ["sh", "-c", f"ts-v1 {URLS['ts']} & python-client {URLS['ts']}; wait $!"],
                chains=[[*LOGIN, *INITIALIZED, *TOOLS, "mcp-delete"], ["token-code", "token-code"], ["mcp-delete", "mcp-delete"]],
                says="echo: hello from the lab",
            )
        ],
    ),
]

# Who plays the tapes of others, by the revisions that it speaks: (name, step, eras).
LEGACY, BOTH = {"legacy"}, {"legacy", "modern"}


def players(server):
    yield "python", driver("python-client", server), BOTH
    yield "ts-v1", driver("ts-v1", server), LEGACY
    yield "ts-v2", driver("ts-v2", server), LEGACY
    yield "ts-v2-auto", driver("ts-v2", server, argument="auto"), BOTH
    yield "mcp-remote", driver("mcp-remote-stdio", server), LEGACY
    yield "reference", reference_client(server, *ECHO, says="echo: "), BOTH
    yield "claude", claude_asks(server), BOTH
    # As a stranger starts it: tools deferred, no key, and the replay's assistant in place of the model.
    asks = Step(["claude", "-p", "go", "--allowedTools", "mcp__lab"], says="echo: hello from the lab", apart=claude_logged_in(server))
    yield "claude-asks", dataclasses.replace(asks, environment={"DISABLE_AUTOUPDATER": "1"}), BOTH


# Something that a client writes into its home at once.
STRANGER = Step(claude_add("ts"), environment=CLAUDE)
