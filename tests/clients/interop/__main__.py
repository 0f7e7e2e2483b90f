"""`run`: every scenario first without authtape, then through `authtape record`; what differs is a failure."""

import argparse
import concurrent.futures
import os
import pathlib
import sys
import tempfile
import time

from . import leaks
from .checks import check
from .lab import HERE, Failure, certificates
from .runs import Recorder, run, without_authtape
from .scenarios import SCENARIOS


def main():
    arguments = parse()
    chosen = [scenario for scenario in SCENARIOS if not arguments.names or scenario.name in arguments.names]
    unknown = set(arguments.names) - {scenario.name for scenario in chosen}
    if unknown:
        sys.exit(f"interop: no such scenario: {', '.join(sorted(unknown))}")
    leaks.prove()
    authtape = binary()
    with tempfile.TemporaryDirectory(prefix="interop-") as name:
        directory = pathlib.Path(arguments.keep or name).resolve()
        directory.mkdir(parents=True, exist_ok=True)
        certificates(directory)
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            plain_only = arguments.without_authtape
            passed = list(pool.map(lambda scenario: attempt(scenario, directory, authtape, plain_only), chosen))
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


def attempt(scenario, directory, authtape, plain_only):
    """Runs one scenario and prints one line, or what is wrong."""
    started = time.monotonic()
    try:
        plain = run(scenario, directory / f"{scenario.name}-plain", directory, authtape, without_authtape)
        if plain_only:
            print(scenario.name, *plain.order, sep="\n    ")
        else:
            recorder = Recorder(authtape, directory / f"{scenario.name}-cassettes")
            recorded = run(scenario, directory / f"{scenario.name}-recorded", directory, authtape, recorder.record)
            check(scenario, plain, recorded, recorder)
    except Exception as failure:
        why = str(failure) if isinstance(failure, Failure) else repr(failure)
        print(f"FAILED {scenario.name}: {why}", flush=True)
        return False
    print(f"passed {scenario.name} ({time.monotonic() - started:.1f} s)", flush=True)
    return True


if __name__ == "__main__":
    main()
