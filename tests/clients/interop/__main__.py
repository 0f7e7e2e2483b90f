"""`run`: every scenario first without authtape, then through `authtape record`, then from its tapes with `authtape replay`; at last
every tape is played to the other clients. What differs is a failure."""

import argparse
import concurrent.futures
import os
import pathlib
import sys
import tempfile
import time

from . import leaks, taping
from .checks import check
from .crossed import cross, whole_tapes
from .lab import HERE, Failure, certificates
from .replays import Replayer, check_sensitive
from .runs import Recorder, run, without_authtape
from .scenarios import SCENARIOS, STRANGER
from .tapes import TAPES


def main():
    arguments = parse()
    known = TAPES if arguments.tapes else SCENARIOS
    chosen = [one for one in known if not arguments.names or one.name in arguments.names]
    unknown = set(arguments.names) - {one.name for one in chosen}
    if unknown:
        sys.exit(f"interop: no such {'tape' if arguments.tapes else 'scenario'}: {', '.join(sorted(unknown))}")
    leaks.prove()
    authtape = binary()
    with tempfile.TemporaryDirectory(prefix="interop-") as name:
        directory = pathlib.Path(arguments.keep or name).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        certificates(directory)
        # The callbacks of all tapes have one port.
        with concurrent.futures.ThreadPoolExecutor(1 if arguments.tapes else arguments.jobs) as pool:
            if arguments.tapes:
                taping.write_table()
                passed = list(pool.map(lambda tape: attempt(tape.name, taping.record, tape, directory, authtape), chosen))
            elif arguments.without_authtape:
                passed = list(pool.map(lambda scenario: plain(scenario, directory, authtape), chosen))
            else:
                suite = Suite(directory, authtape)
                passed = list(pool.map(lambda scenario: attempt(scenario.name, suite.whole, scenario), chosen))
                passed += pool.map(lambda tape: attempt(tape[0], suite.crossed, *tape[1:]), suite.tapes)
                passed += [attempt("sensitive", suite.sensitive)] if suite.tapes else []
    print(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    sys.exit(0 if passed and all(passed) else 1)


def parse():
    parser = argparse.ArgumentParser(prog="tests/clients/run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios to run, or tapes to record (all)")
    parser.add_argument("--tapes", action="store_true", help="record the tapes of cassettes/ anew instead")
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


def plain(scenario, directory, authtape):
    """Runs the clients of a scenario alone, and prints what they request."""
    alone = run(scenario, directory / f"{scenario.name}-plain", directory, authtape, without_authtape)
    print(scenario.name, *alone.order, sep="\n    ", flush=True)
    return True


class Suite:
    """What is done with each scenario; `tapes` collects those that other clients can play."""

    def __init__(self, directory, authtape):
        self.directory, self.authtape, self.tapes = directory, authtape, []

    def whole(self, scenario):
        """A scenario without authtape, recorded, and replayed: with the servers listening, then twice with them gone."""
        started = time.monotonic()
        alone = run(scenario, self.place(scenario, "plain"), self.directory, self.authtape, without_authtape)
        recorder = Recorder(self.authtape, self.place(scenario, "cassettes"))
        replayer = Replayer(self.authtape, scenario, recorder.files, self.place(scenario, "replayed"))
        timed = Timed(replayer.while_servers_listen)
        recorded = run(scenario, self.place(scenario, "recorded"), self.directory, self.authtape, recorder.record, timed)
        check(scenario, alone, recorded, recorder)
        timed.call(replayer.in_one_home, recorded.steps)
        timed.call(replayer.apart, recorded.steps)
        if replayer.wrong:
            raise Failure("\n    ".join(["", *replayer.wrong]))
        for path, eras in whole_tapes(recorder.files):
            self.tapes.append((f"{scenario.name}/{path.stem} to others", scenario, path, eras))
        spent = time.monotonic() - started - timed.spent
        return f"recorded in {spent:.1f} s, replayed {replayer.runs} times in {timed.spent:.1f} s"

    def crossed(self, scenario, path, eras):
        completed = cross(scenario, path, eras, self.authtape, self.place(scenario, f"crossed-{path.stem}"))
        return f"completed by {', '.join(completed)}"

    def sensitive(self):
        """The check of the caller's home would notice a client in it."""
        check_sensitive(self.authtape, self.tapes[0][2], self.directory / "sensitive", STRANGER)
        return "a client in the caller's own home is noticed"

    def place(self, scenario, part):
        return self.directory / f"{scenario.name}-{part}"


class Timed:
    """Calls functions and adds up what they take, in seconds."""

    def __init__(self, function):
        self.function, self.spent = function, 0.0

    def __call__(self, *arguments):
        self.call(self.function, *arguments)

    def call(self, function, *arguments):
        started = time.monotonic()
        try:
            function(*arguments)
        finally:
            self.spent += time.monotonic() - started


def attempt(name, part, *arguments):
    """Runs one part of the suite and prints one line, or what is wrong."""
    started = time.monotonic()
    try:
        said = part(*arguments)
    except Exception as failure:
        why = str(failure) if isinstance(failure, Failure) else repr(failure)
        print(f"FAILED {name}: {why}", flush=True)
        return False
    print(f"passed {name} ({time.monotonic() - started:.1f} s){f': {said}' if said else ''}", flush=True)
    return True


if __name__ == "__main__":
    main()
