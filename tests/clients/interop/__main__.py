"""`run`: every scenario first without authtape, then through `authtape record`; what differs is a failure."""

import argparse
import concurrent.futures
import os
import pathlib
import sys
import tempfile
import time

from . import leaks, taping
from .checks import check
from .lab import HERE, Failure, certificates
from .runs import Recorder, run, without_authtape
from .scenarios import SCENARIOS
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
        if arguments.tapes:
            taping.write_table()
        # The callbacks of all tapes have one port.
        with concurrent.futures.ThreadPoolExecutor(1 if arguments.tapes else arguments.jobs) as pool:
            job = tape_job if arguments.tapes else scenario_job
            passed = list(pool.map(lambda one: attempt(one.name, job(one, directory, authtape, arguments)), chosen))
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


def scenario_job(scenario, directory, authtape, arguments):
    """Runs one scenario, and with authtape again."""

    def job():
        plain = run(scenario, directory / f"{scenario.name}-plain", directory, authtape, without_authtape)
        if arguments.without_authtape:
            print(scenario.name, *plain.order, sep="\n    ")
            return
        recorder = Recorder(authtape, directory / f"{scenario.name}-cassettes")
        recorded = run(scenario, directory / f"{scenario.name}-recorded", directory, authtape, recorder.record)
        check(scenario, plain, recorded, recorder)

    return job


def tape_job(tape, directory, authtape, _arguments):
    return lambda: taping.record(tape, directory, authtape)


def attempt(name, job):
    """Does one job and prints one line, or what is wrong."""
    started = time.monotonic()
    try:
        job()
    except Exception as failure:
        why = str(failure) if isinstance(failure, Failure) else repr(failure)
        print(f"FAILED {name}: {why}", flush=True)
        return False
    print(f"passed {name} ({time.monotonic() - started:.1f} s)", flush=True)
    return True


if __name__ == "__main__":
    main()
