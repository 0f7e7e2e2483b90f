"""Who calls `authtape replay`: somebody with credentials of their own at home, which no replay may touch or look like touching."""

import json
import os
import shutil

from .lab import Failure

# What clients keep at home, where they look for it without being told otherwise.
CREDENTIALS = {
    ".claude/.credentials.json": {"claudeAiOauth": {"accessToken": "own-at", "refreshToken": "own-rt", "expiresAt": 9999999999999}},
    ".claude/mcp-needs-auth-cache.json": {},
    ".claude.json": {"hasCompletedOnboarding": True, "mcpServers": {"lab": {"type": "http", "url": "https://mcp.ts.test/mcp"}}},
    ".mcp-auth/mcp-remote-v1/0123456789abcdef_tokens.json": {"access_token": "own-at", "refresh_token": "own-rt"},
    ".local/share/authtape/client.json": {"access_token": "own-at"},
    ".config/authtape/client.json": {"access_token": "own-at"},
}


class Caller:
    """A home with credentials, a directory to work in and one for temporary files; the same parts that a Lab has."""

    def __init__(self, directory):
        self.directory, self.home, self.temp = directory, directory / "home", directory / "tmp"
        self.work = self.home / "work"
        for path in (self.work, self.temp):
            path.mkdir(parents=True)
        for name, content in CREDENTIALS.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
            path.chmod(0o600)
            os.utime(path, ns=(1, 1))
        self.before = self.found()

    def found(self):
        """Everything at home: path → mode, time of the last change and content."""
        paths = [self.home, *sorted(self.home.rglob("*"))]
        return {str(path): self.state(path) for path in paths}

    def state(self, path):
        about = path.lstat()
        return about.st_mode, about.st_mtime_ns, path.read_bytes() if path.is_file() else None

    def check_untouched(self):
        found = self.found()
        touched = sorted(path for path in {**self.before, **found} if self.before.get(path) != found.get(path))
        if touched:
            raise Failure(f"the caller's home was touched: {touched}")

    def check_tidy(self):
        left = [path.name for path in self.temp.iterdir()]
        if any("authtape" in name for name in left):
            raise Failure(f"authtape left files behind: {left}")

    def fresh_home(self, name):
        """A new directory for --home; a client may keep things in it from one replay to the next."""
        path = self.directory / name
        shutil.rmtree(path, ignore_errors=True)
        return path
