"""A client's full-screen interface, driven through tmux: type keys, wait until the screen shows something.

tmux runs as a server of its own on a socket in the lab's directory and ends with the client.
"""

import os
import pathlib
import re
import select
import shlex
import subprocess
import tempfile
import time

from .lab import DEADLINE, Failure


class Screen:
    """One client in one tmux window; use as a context manager."""

    def __init__(self, command, environment, directory, scratch):
        own = pathlib.Path(tempfile.mkdtemp(prefix="tmux-", dir=scratch))
        self.socket, self.status = own / "sock", own / "status"
        inside = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *command]
        shell = f"{shlex.join(inside)}; echo $? > {shlex.quote(str(self.status))}"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(scratch), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        self.seen, self.output = "", own / "output"
        os.mkfifo(self.output)
        self.reader = os.open(self.output, os.O_RDONLY | os.O_NONBLOCK)
        size = ["-x", "160", "-y", "50", "-c", str(directory)]
        pipe = ["pipe-pane", "-o", f"exec cat > {shlex.quote(str(self.output))}"]
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, "sh", "-c", shell, ";", *pipe)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server", check=False)
        os.close(self.reader)

    def tmux(self, *arguments, check=True):
        command = ["tmux", "-S", str(self.socket), *arguments]
        return subprocess.run(command, env=self.environment, check=check, capture_output=True, text=True).stdout

    def type(self, *keys):
        self.tmux("send-keys", *keys)

    def wait_for(self, pattern):
        """Waits until the screen shows `pattern`; looks again whenever the client has written something."""
        end = time.monotonic() + DEADLINE
        while True:
            self.seen = self.tmux("capture-pane", "-p", check=False) or self.seen
            found = re.search(pattern, self.seen)
            if found:
                return found
            ready, _, _ = select.select([self.reader], [], [], max(0, end - time.monotonic()))
            if not ready or not os.read(self.reader, 65536):
                raise Failure(f"the screen never showed {pattern!r}; it shows:\n{self.seen}")

    def wait_for_end(self):
        """Waits until the client has ended; returns its status."""
        end = time.monotonic() + DEADLINE
        while select.select([self.reader], [], [], max(0, end - time.monotonic()))[0]:
            if not os.read(self.reader, 65536):
                return int(self.status.read_text())
        raise Failure(f"the client did not end; the screen shows:\n{self.seen}")
