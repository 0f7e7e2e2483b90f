"""Records the tapes of `cassettes/`, proves each true and clean, and only then puts it there; writes the table of them."""

import json
import re
import shutil

from .cassette import Cassette, check_order, check_peers
from .checks import check_clean, check_local, check_shown, check_tidy, missing
from .lab import HERE, Failure
from .relations import check_relations
from .runs import Recorder, run
from .tapes import CLIENTS, SERVERS, TAPES

CASSETTES = HERE.parent.parent / "cassettes"
LARGEST = 64 * 1024  # bytes
# This machine: paths, addresses with the ports of the moment, and the registries packages come from.
FOREIGN = re.compile(r"/(?:root|home|tmp|work|usr)/|127\.0\.0\.1:(?!21418)\d|registry\.|\.npmjs\.|pypi\.|BEGIN [A-Z ]*PRIVATE KEY")


def record(tape, directory, authtape):
    """Records one tape into `cassettes/`."""
    recorder = Recorder(authtape, directory / f"{tape.name}-cassettes")
    recorded = run(tape.scenario(), directory / tape.name, directory, authtape, recorder.record)
    for step, outcome in zip(tape.steps, recorded.outcomes, strict=True):
        if outcome.status != step.status or step.says not in outcome.out:
            raise Failure(f"{step.command} ended with {outcome.status}, not {step.status}, and said:\n{outcome.out}\n{outcome.err}")
    check_local(recorded.refused)
    ((number, path),) = recorder.files.items()
    if not path.exists():
        missing(path, recorded.outcomes[number])
    check_clean(path.name, recorded.secrets, path.read_text())
    check_place(path)
    check_peers(path)
    check_relations(path)
    check_shown(path, authtape)
    check_order(path, tape.kinds)
    check_tidy(recorded.lab.temp)
    shutil.copyfile(path, CASSETTES / f"{tape.name}.yaml")


def check_place(path):
    """The file is small and says nothing of this machine."""
    text = path.read_text()
    found = sorted(set(FOREIGN.findall(text)))
    if found:
        raise Failure(f"{path.name} names this machine: {found}")
    if len(text) > LARGEST:
        raise Failure(f"{path.name} has {len(text)} bytes")
    Cassette(path)


def write_table():
    """Writes `cassettes/TAPES.md`."""
    head = (HERE / "interop" / "TAPES.head.md").read_text()
    lines = [head.format(**versions()), "| tape | client | server | MCP | shows |", "|---|---|---|---|---|"]
    for tape in sorted(TAPES, key=lambda tape: tape.name):
        era = "–" if tape.era == "none" else tape.era
        name = f"[{tape.name}]({tape.name}.yaml)"
        lines.append(f"| {name} | {CLIENTS[tape.client]} | {SERVERS[tape.server]} | {era} | {tape.shows} |")
    (CASSETTES / "TAPES.md").write_text("\n".join(lines) + "\n")


def versions():
    """The pinned versions, by a name that a format string can hold."""
    packages = json.loads((HERE / "package.json").read_text())["dependencies"]
    python = dict(re.findall(r"^([\w-]+)==(.+)$", (HERE / "requirements.txt").read_text(), re.MULTILINE))
    return {re.sub(r"\W+", "_", name).strip("_"): version for name, version in {**packages, **python}.items()}
