"""What must hold of a scenario that was recorded: it went as it goes without authtape, and its cassettes are true and clean."""

import subprocess

from . import leaks
from .cassette import Cassette, check_complete, check_order, check_peers
from .lab import Failure
from .relations import check_relations


KEPT = ("client_id",)  # linking, not secret


def check(*runs):
    """Raises one Failure with everything that is wrong."""
    wrong = []
    for test, *arguments in tests(*runs):
        try:
            test(*arguments)
        except Failure as failure:
            wrong.append(str(failure))
    if wrong:
        raise Failure("\n    ".join(["", *wrong]))


def tests(scenario, plain, recorded, recorder):
    """What to hold against what: a function and its arguments each."""
    for number, step in enumerate(scenario.steps):
        yield compare, step, plain.outcomes[number], recorded.outcomes[number], plain.secrets | recorded.secrets
    yield check_local, plain.refused + recorded.refused
    yield same_requests, scenario, plain.answered, recorded.answered
    cassettes = []
    for number, path in recorder.files.items():
        step, outcome = scenario.steps[number], recorded.outcomes[number]
        if not step.screen:
            spoken = without(recorded.secrets, step.prints)
            yield check_clean, f"the output of step {number}", spoken, outcome.out + outcome.err
        if not path.exists():
            yield missing, path, outcome
            return
        yield check_clean, path.name, recorded.secrets, path.read_text()
        yield check_peers, path
        yield check_relations, path
        yield check_shown, path, recorder.authtape
        cassettes.append(path)
        for chain in step.chains:
            yield check_order, path, chain
    yield check_complete, cassettes, recorded.answered
    yield check_tidy, recorded.lab.temp


def missing(path, outcome):
    raise Failure(f"there is no {path.name}; authtape said:\n{outcome.out}\n{outcome.err}")


def check_local(refused):
    if refused:
        raise Failure(f"a client wanted to leave this machine: {refused}")


def check_clean(place, known, text):
    leaked = sorted(set(leaks.found(without(known, KEPT), text)))
    if leaked:
        raise Failure(f"{place} holds: {', '.join(leaked)}")


def check_shown(path, authtape):
    """authtape reads its own file and names every kind in it."""
    shown = subprocess.run([authtape, "show", str(path)], env={}, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    kinds = {interaction["kind"] for interaction in Cassette(path).interactions}
    if shown.returncode != 0 or not all(kind in shown.stdout for kind in kinds):
        raise Failure(f"`authtape show {path.name}` ended with {shown.returncode} and said:\n{shown.stdout}\n{shown.stderr}")


def check_tidy(temporary):
    left = [path.name for path in temporary.iterdir() if "authtape" in path.name]
    if left:
        raise Failure(f"authtape left files behind: {left}")


def without(known, names):
    return {value: name for value, name in known.items() if name not in names}


def compare(step, plain, recorded, known):
    if plain.status != recorded.status:
        raise Failure(
            f"{step.command} ended with {recorded.status}, without authtape with {plain.status}; "
            f"it said:\n{recorded.out}\n{recorded.err}"
        )
    for name, outcome in (("without authtape", plain), ("through authtape", recorded)):
        if step.says not in outcome.out:
            raise Failure(f"{step.command} {name} did not say {step.says!r} but:\n{outcome.out}\n{outcome.err}")
    if not step.terminal and not step.screen and settled(plain.out, known) != settled(recorded.out, known):
        raise Failure(f"{step.command} said:\n{recorded.out}\nwithout authtape:\n{plain.out}")


def settled(output, known):
    """A client's output without what differs between any two runs: secrets, and the order of lines."""
    for value, name in known.items():
        output = output.replace(value, name)
    return sorted(output.splitlines())


def same_requests(scenario, plain, recorded):
    """The servers got the same requests, those aside that `volatile` names by a part."""

    def steady(answered):
        return {request: n for request, n in answered.items() if not any(part in str(request) for part in scenario.volatile)}

    if steady(plain) != steady(recorded):
        differ = [request for request in {**plain, **recorded} if steady(plain).get(request) != steady(recorded).get(request)]
        raise Failure(f"the servers got other requests than without authtape: {differ}")
