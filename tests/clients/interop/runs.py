"""Runs a scenario: its servers, its steps one after the other, with or without authtape between client and server."""

import dataclasses
import secrets
import shlex
import socket

from .lab import DRIVERS, URLS, Lab, Outcome, run_client
from .terminal import Screen
from .tunnel import Tunnel


class Run:
    """What one run of a scenario left: its steps as they were run, each one's outcome, and what its servers know."""

    def __init__(self, steps, outcomes, lab, tunnel, own):
        self.steps, self.outcomes, self.lab, self.refused = steps, outcomes, lab, tunnel.refused
        self.secrets = lab.secrets() | {str(lab.home): "home"} | {value: name for name, value in own.items()}
        self.answered = lab.requests("ts", "py")
        logged = [line for server in lab.servers for line in server.lines() if "request" in line]
        self.order = ["{method} https://{host}{path} {detail} {status}".format(**{"detail": None, **line}) for line in logged]


def run(scenario, place, certs, authtape, runner, before_the_end=None):
    """Starts the servers, lets `runner` run each step, ends the servers; just before, `before_the_end` is called with the steps
    as they were run, the lab and the tunnel."""
    servers = list(dict.fromkeys([scenario.server, *scenario.also, *(["messages"] if scenario.canned_model else [])]))
    own = {"key": f"sk-ant-api03-{secrets.token_urlsafe(60)}", "prompt": secrets.token_hex(12)}
    own |= {"account": f"sk-ant-oat01-{secrets.token_urlsafe(60)}", "renewal": f"sk-ant-ort01-{secrets.token_urlsafe(60)}"}
    with Lab(place, certs, servers, {scenario.server: scenario.options}) as lab:
        tunnel = Tunnel(lab.ports)
        try:
            if scenario.canned_model:
                lab.prepare_claude(own["key"])
            if scenario.account:
                lab.prepare_account(own["account"], own["renewal"])
            steps = [filled(step, authtape=authtape, **own) for step in scenario.steps]
            outcomes = []
            for number, step in enumerate(steps):
                outcomes.append(runner(scenario, step, number, lab, tunnel, lab.environment() | step.environment))
            if before_the_end:
                before_the_end(steps, lab, tunnel)
        finally:
            tunnel.shutdown()
            tunnel.server_close()
    return Run(steps, outcomes, lab, tunnel, own)


def filled(step, **values):
    """The step with its `{…}` replaced."""

    def fill(command):
        return [part.format(**values) for part in command]

    apart = step.apart if step.apart is None else [fill(command) for command in step.apart]
    environment = {name: value.format(**values) for name, value in step.environment.items()}
    return dataclasses.replace(step, command=fill(step.command), setup=[fill(one) for one in step.setup], apart=apart, environment=environment)


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


PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")


def past_proxies(step, server):
    """The step of a client that sees no proxy and gets a plain URL instead, and the options that serve it there."""
    origin = URLS[server].removesuffix("/mcp")
    with socket.create_server(("127.0.0.1", 0)) as free:
        local = "{}:{}".format(*free.getsockname())
    command = [part.replace(origin, f"http://{local}") for part in step.command]
    blind = ["env", *(part for name in PROXIES for part in ("-u", name))]
    return dataclasses.replace(step, command=[*blind, *command]), ["--reverse", f"{origin}={local}"]


def without_authtape(_scenario, step, _number, lab, tunnel, environment):
    environment = environment | through(tunnel, lab.certs)
    for setup in step.setup:
        run_client(setup, environment, lab.work)
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
        for setup in step.setup:
            command += ["--setup", shlex.join(setup)]
        if scenario.reverse:
            step, options = past_proxies(step, scenario.server)
            command += options
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
