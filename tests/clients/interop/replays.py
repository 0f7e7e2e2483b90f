"""Replays of what was recorded: each tape stands in for its servers, towards the client it came from and towards others.

The caller's environment names a proxy that leads to the servers, so that a replay that dials would arrive.
"""

import collections
import shlex

from .caller import Caller
from .cassette import Cassette, check_order, label
from .lab import Failure, Lab, claude_state
from .relations import check_relations
from .runs import past_proxies, perform


class Replayer:
    """Runs the steps of one scenario under `authtape replay`; `wrong` collects what was found."""

    def __init__(self, authtape, scenario, tapes, directory):
        self.authtape, self.scenario, self.tapes, self.directory = authtape, scenario, tapes, directory
        self.caller, self.runs, self.wrong = Caller(directory), 0, []

    def in_one_home(self, steps, way_out=None):
        """Every step on its own tape, one after the other in one new home: what a step stores, the next one finds."""
        home, setup = self.caller.fresh_home("one-home"), self.first_start(steps)
        for number, step in enumerate(steps):
            if not step.recorded:
                setup.append(step.command)
            else:
                setup += step.setup
                self.note(self.own_tape, step, number, ["--home", str(home)], setup, way_out)
                setup = []

    def apart(self, steps):
        """Every step on its own tape in a throwaway home, with what must come before it played from the same tape."""
        for number, step in enumerate(steps):
            if step.recorded and step.apart is not None:
                self.note(self.own_tape, step, number, [], self.first_start([step]) + step.apart, None)

    def first_start(self, steps):
        """What answers a client's questions at its first start in a home."""
        keys = [step.environment["ANTHROPIC_API_KEY"] for step in steps if "ANTHROPIC_API_KEY" in step.environment]
        if not keys:
            return []
        state = self.directory / "claude.json"
        state.write_text(claude_state(keys[0], self.caller.work))
        return [["sh", "-c", f'cp {shlex.quote(str(state))} "$CLAUDE_CONFIG_DIR/.claude.json"']]

    def while_servers_listen(self, steps, lab, tunnel):
        """As `in_one_home`, with every server up: none of them may hear of it."""
        before = lab.connections(), tunnel.accepted
        if not before[0]:
            self.wrong.append("no server noticed a connection, not even when the tape was recorded")
        self.in_one_home(steps, tunnel.url)
        after = lab.connections(), tunnel.accepted
        if after != before:
            self.wrong.append(f"connections to the servers and the way to them went from {before} to {after} in a replay")

    def note(self, test, *arguments):
        try:
            test(*arguments)
        except Failure as failure:
            self.wrong.append(str(failure))

    def own_tape(self, step, number, options, setup, way_out):
        tape = self.tapes.get(number)
        if tape is None or not tape.exists():
            raise Failure(f"there is no tape of step {number}")
        if self.scenario.reverse:
            step, served = past_proxies(step, self.scenario.server)
            options = [*options, *served]
        run = self.play(tape, step, options, setup, way_out)
        left_out = (*self.scenario.volatile, *self.scenario.unplayed)
        check_same_requests(tape, run, left_out)
        check_relations(run)
        for chain in step.chains:
            if not any(part in name for name in chain for part in self.scenario.unplayed):
                check_order(run, chain)

    def play(self, tape, step, options, setup, way_out=None):
        """Plays a tape to a client, which must complete; returns the file of the run."""
        outcome, run = self.start(tape, step, options, setup, way_out)
        said = f"it said:\n{outcome.out}\n{outcome.err}"
        if outcome.status != 0:
            raise Failure(f"{step.command} on {tape} ended with {outcome.status}; {said}")
        if step.says not in outcome.out:
            raise Failure(f"{step.command} on {tape} did not say {step.says!r}; {said}")
        if not step.screen and "no miss" not in outcome.err:
            raise Failure(f"{step.command} on {tape} missed something; {said}")
        return run

    def start(self, tape, step, options, setup, way_out=None):
        """Runs a client under `authtape replay`; nothing at the caller's home may change, however it ends."""
        self.runs += 1
        run = self.directory / f"run-{self.runs}.yaml"
        command = [self.authtape, "replay", str(tape), "-o", str(run), "--timeout", "50s", *options]
        command += ["--pty"] if step.terminal else []
        for before in setup:
            command += ["--setup", shlex.join(before)]
        environment = Lab.environment(self.caller) | step.environment
        if way_out:
            environment |= {"HTTPS_PROXY": way_out, "NO_PROXY": "localhost,127.0.0.1"}
        outcome = perform(step, [*command, "--", *step.command], environment, self.caller, terminal=False)
        self.caller.check_untouched()
        self.caller.check_tidy()
        return outcome, run


def requests_of(path, left_out):
    """The requests of the last session: (label, method, host and path) → the statuses of the answers, in order."""
    cassette = Cassette(path)
    last, found = max(own["session"] for own in cassette.interactions), collections.defaultdict(list)
    for interaction in cassette.interactions:
        if interaction["session"] != last:
            continue
        method, place = interaction["request"]["method"], place_of(interaction)
        status = (interaction.get("response") or {}).get("status")
        if not any(part in str((label(interaction), method, place, status)) for part in left_out):
            found[label(interaction), method, place].append(status)
    return found


def place_of(interaction):
    """The URL without what is new in every run: the query, and the port of a callback."""
    url = interaction["request"]["url"].split("?")[0]
    if interaction["kind"] != "callback":
        return url
    return "/".join(["callback", *url.split("/")[3:]])


def check_same_requests(tape, run, left_out):
    """The client made the same requests as when the tape was recorded, and got answers of the same status.

    Whether an answer was awaited by a client that ended is chance: then its status does not count.
    """
    recorded, replayed = requests_of(tape, left_out), requests_of(run, left_out)
    differ = []
    for request in {**recorded, **replayed}:
        then, now = recorded.get(request, []), replayed.get(request, [])
        same = len(then) == len(now) if None in then + now else sorted(then) == sorted(now)
        if not same:
            differ.append(f"{request}: {then} recorded, {now} replayed")
    if differ:
        raise Failure(f"the requests on {tape} differ: {'; '.join(differ)}")


def check_sensitive(authtape, tape, directory, step):
    """A client that gets the caller's own home is noticed; otherwise an untouched one would mean nothing."""
    replayer = Replayer(authtape, None, {}, directory)
    try:
        replayer.start(tape, step, ["--home", "real", "--allow-real-home"], [])
    except Failure as failure:
        if "home was touched" in str(failure):
            return
    raise Failure(f"{step.command} in the caller's own home went unnoticed")
