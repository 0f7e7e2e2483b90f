"""Tapes of one client played to every other, of both eras: it completes, or the run says why it cannot."""

from .cassette import Cassette
from .lab import Failure
from .replays import Replayer
from .runs import filled
from .scenarios import players

TOO_OLD = "the tape holds MCP 2026-07-28 only, and this client speaks an older revision"


def whole_tapes(files):
    """The tapes on which a tool is called, with the eras that they hold."""
    for number, path in sorted(files.items()):
        answered = {label for label, status in answers(path) if status == 200}
        if "mcp-request tools/call" in answered:
            old, new = "mcp-request initialize" in answered, "mcp-request server/discover" in answered
            yield path, {era for era, held in (("legacy", old), ("modern", new)) if held}


def answers(path):
    cassette = Cassette(path)
    statuses = [(interaction.get("response") or {}).get("status") for interaction in cassette.interactions]
    return zip(cassette.labels(), statuses)


def cross(scenario, tape, eras, authtape, directory):
    """Plays one tape to every client but its own."""
    replayer, completed = Replayer(authtape, scenario, {}, directory), []
    for name, template, spoken in players(scenario.server):
        if scenario.name != f"{name}-{scenario.server}":
            step = filled(template, authtape=authtape, key="sk-ant-api03-not-a-key", prompt="once")
            replayer.note(complete if spoken & eras else refuse, replayer, tape, step)
            completed.append(name)
    if replayer.wrong:
        raise Failure("\n    ".join(["", *replayer.wrong]))
    return completed


def complete(replayer, tape, step):
    replayer.play(tape, step, [], replayer.first_start([step]) + step.apart)


def refuse(replayer, tape, step):
    """A client of the older era on a tape of the newer one: a failed run that gives the reason."""
    outcome, _ = replayer.start(tape, step, [], step.apart)
    if outcome.status == 0 or TOO_OLD not in outcome.err:
        raise Failure(f"{step.command} on {tape} ended with {outcome.status} and said:\n{outcome.out}\n{outcome.err}")
