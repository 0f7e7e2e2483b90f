"""`run`: every scenario first without authtape, then through `authtape record`; what differs is a failure."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import secrets
import sys
import tempfile
import time

from . import leaks
from .cassette import Cassette, check_complete, check_order
from .lab import DRIVERS, HERE, HOSTS, Failure, Lab, Outcome, certificates, run_client
from .scenarios import SCENARIOS
from .terminal import Screen
from .tunnel import Tunnel


def main():
    arguments = parse()
    chosen = [scenario for scenario in SCENARIOS if not arguments.names or scenario.name in arguments.names]
    unknown = set(arguments.names) - {scenario.name for scenario in chosen}
    if unknown:
        sys.exit(f"interop: no such scenario: {', '.join(sorted(unknown))}")
    leaks.prove()
    authtape = None if arguments.without_authtape else binary()
    with tempfile.TemporaryDirectory(prefix="interop-") as name:
        directory = pathlib.Path(arguments.keep or name).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        certificates(directory)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            passed = list(pool.map(lambda scenario: attempt(scenario, directory, authtape), chosen))
    print(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    sys.exit(0 if passed and all(passed) else 1)


def parse():
    parser = argparse.ArgumentParser(prog="tests/clients/run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios to run (all)")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="scenarios at a time (2)")
    parser.add_argument("--keep", metavar="DIR", help="leave cassettes, logs and homes in this new directory")
    parser.add_argument("--without-authtape", action="store_true", help="run the clients only, and print what they request")
    return parser.parse_args()


def binary():
    """The authtape to test: $AUTHTAPE, or what cargo built."""
    target = os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")
    path = pathlib.Path(os.environ.get("AUTHTAPE", pathlib.Path(target) / "debug" / "authtape"))
    if not os.access(path, os.X_OK):
        sys.exit(f"interop: there is no {path}; build it, or name one in AUTHTAPE")
    return str(path.resolve())


def attempt(scenario, directory, authtape):
    """Runs one scenario and prints one line, or what is wrong."""
    started = time.monotonic()
    try:
        plain = run(scenario, directory / f"{scenario.name}-plain", directory, without_authtape)
        if authtape:
            recorder = Recorder(authtape, directory / f"{scenario.name}-cassettes")
            recorded = run(scenario, directory / f"{scenario.name}-recorded", directory, recorder.record)
            check(scenario, plain, recorded, recorder)
        else:
            print(scenario.name, *plain.order, sep="\n    ")
    except Exception as failure:
        why = str(failure) if isinstance(failure, Failure) else repr(failure)
        print(f"FAILED {scenario.name}: {why}", flush=True)
        return False
    print(f"passed {scenario.name} ({time.monotonic() - started:.1f} s)", flush=True)
    return True


class Run:
    """What one run of a scenario left: each step's outcome, and what its servers know."""

    def __init__(self, outcomes, lab, tunnel):
        self.outcomes, self.lab, self.refused = outcomes, lab, tunnel.refused
        self.secrets = lab.secrets() | {str(lab.home): "home"}
        self.answered = lab.requests("ts", "py")
        logged = [line for server in lab.servers for line in server.lines() if "request" in line]
        self.order = ["{method} https://{host}{path} {detail} {status}".format(**{"detail": None, **line}) for line in logged]


def run(scenario, place, certs, runner):
    """Starts the servers, lets `runner` run each step, ends the servers."""
    servers = [scenario.server, *(["messages"] if scenario.canned_model else [])]
    key = f"sk-ant-api03-{secrets.token_urlsafe(60)}"
    with Lab(place, certs, servers, {scenario.server: scenario.options}) as lab:
        tunnel = Tunnel(lab.ports)
        try:
            if scenario.canned_model:
                lab.prepare_claude(key)
            outcomes = []
            for number, step in enumerate(scenario.steps):
                chosen = {name: value.format(key=key) for name, value in step.environment.items()}
                outcomes.append(runner(scenario, step, number, lab, tunnel, lab.environment() | chosen))
        finally:
            tunnel.shutdown()
            tunnel.server_close()
    return Run(outcomes, lab, tunnel)


def through(tunnel, certs):
    """Makes every client use the tunnel and trust the lab's certificates."""
    authority = str(certs / "ca.pem")
    return {
        "HTTPS_PROXY": tunnel.url,
        "NO_PROXY": "localhost,127.0.0.1",
        "NODE_USE_ENV_PROXY": "1",
        "NODE_EXTRA_CA_CERTS": authority,
        "SSL_CERT_FILE": authority,
        "BROWSER": str(DRIVERS / "browser"),
    }


def without_authtape(_scenario, step, _number, lab, tunnel, environment):
    environment = environment | through(tunnel, lab.certs)
    if step.setup:
        run_client(step.setup, environment, lab.work)
    return perform(step, step.command, environment, lab, step.terminal)


class Recorder:
    """Runs steps through `authtape record`, one cassette a step."""

    def __init__(self, authtape, directory):
        self.authtape, self.directory, self.files = authtape, directory, {}
        directory.mkdir()

    def record(self, scenario, step, number, lab, tunnel, environment):
        if not step.recorded:
            return without_authtape(scenario, step, number, lab, tunnel, environment)
        self.files[number] = self.directory / f"{number}.yaml"
        command = [self.authtape, "record", "-o", str(self.files[number]), "--upstream-ca", str(lab.certs / "ca.pem")]
        command += ["--user-agent", "auto", *(["--pty"] if step.terminal else [])]
        if scenario.chained:
            environment = environment | {"HTTPS_PROXY": tunnel.url, "NO_PROXY": "localhost,127.0.0.1"}
        else:
            command += [f"--connect-to={name}=127.0.0.1:{port}" for name, port in lab.ports.items()]
        if step.setup:
            command += ["--setup", " ".join(step.setup)]
        return perform(step, [*command, "--", *step.command], environment, lab, terminal=False)


def perform(step, command, environment, lab, terminal):
    """Runs a client to its end, by the screen if it has one."""
    if not step.screen:
        return run_client(command, environment, lab.work, terminal)
    with Screen(command, environment, lab.work, lab.directory) as screen:
        for pattern, keys in step.screen:
            screen.wait_for(pattern)
            screen.type(*keys)
        return Outcome(screen.wait_for_end(), screen.seen)


def check(scenario, plain, recorded, recorder):
    """Holds a recorded run against the one without authtape, and its cassettes against the servers' logs."""
    for number, step in enumerate(scenario.steps):
        compare(step, plain.outcomes[number], recorded.outcomes[number])
    if plain.refused or recorded.refused:
        raise Failure(f"a client wanted to leave this machine: {plain.refused or recorded.refused}")
    same_requests(scenario, plain.answered, recorded.answered)

    cassettes = {number: Cassette(path) for number, path in recorder.files.items()}
    for number, cassette in cassettes.items():
        step, outcome = scenario.steps[number], recorded.outcomes[number]
        for chain in step.chains:
            check_order(cassette.labels(), chain)
        leaked = list(leaks.found(without(recorded.secrets, KEPT), cassette.text))
        leaked += leaks.found(without(recorded.secrets, KEPT + step.prints), "" if step.screen else outcome.out + outcome.err)
        if leaked:
            raise Failure(f"step {number} leaks: {', '.join(leaked)}")
    check_complete(cassettes.values(), recorded.answered)
    left = [path.name for path in recorded.lab.temp.iterdir() if "authtape" in path.name]
    if left:
        raise Failure(f"authtape left files behind: {left}")


KEPT = ("client_id",)  # linking, not secret


def without(known, names):
    return {value: name for value, name in known.items() if name not in names}


def compare(step, plain, recorded):
    if plain.status != recorded.status:
        raise Failure(
            f"{step.command} ended with {recorded.status}, without authtape with {plain.status}; "
            f"it said:\n{recorded.out}\n{recorded.err}"
        )
    for name, outcome in (("without authtape", plain), ("through authtape", recorded)):
        if step.says not in outcome.out:
            raise Failure(f"{step.command} {name} did not say {step.says!r} but:\n{outcome.out}\n{outcome.err}")
    if not step.terminal and not step.screen and settled(plain.out) != settled(recorded.out):
        raise Failure(f"{step.command} said:\n{recorded.out}\nwithout authtape:\n{plain.out}")


def settled(output):
    """A client's output without what differs between any two runs: the home it names, and the order of its lines."""
    return sorted(re.sub(r"/\S*-(plain|recorded)/", "/", output).splitlines())


def same_requests(scenario, plain, recorded):
    """The servers got the same requests, those aside that `volatile` names by a part."""

    def steady(answered):
        return {request: n for request, n in answered.items() if not any(part in str(request) for part in scenario.volatile)}

    if steady(plain) != steady(recorded):
        differ = [request for request in {**plain, **recorded} if steady(plain).get(request) != steady(recorded).get(request)]
        raise Failure(f"the servers got other requests than without authtape: {differ}")


if __name__ == "__main__":
    main()
