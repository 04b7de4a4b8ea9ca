"""``python -m benchmarks.peers``: fastroi beside other packages and beside the floor."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.cases import SETS
from benchmarks.peers import environments, report, session


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    setup = commands.add_parser("setup", help="create the packages' virtual environments")
    setup.add_argument(
        "peers",
        nargs="*",
        metavar="PEER",
        default=[],
        help=f"any of {', '.join(environments.PACKAGES)}; default: all but "
        f"{', '.join(environments.ON_REQUEST)} (several GB)",
    )

    python = commands.add_parser("python", help="print the path of a package's interpreter")
    python.add_argument("peer", choices=environments.PACKAGES)

    run = commands.add_parser(
        "run",
        help="check and measure",
        description="""
        Start one process per package, compare its values with a float64 reference, then time all
        of them and the floor in interleaved rounds. Writes results.json, results.md and plots.""",
    )
    run.add_argument(
        "--peers",
        nargs="*",
        metavar="NAME",
        help="packages beside fastroi; default: those that are set up. "
        "NAME:VARIANT, as in fastroi:nhwc or fastroi:avx2, is another run of it",
    )
    run.add_argument("--sets", nargs="+", choices=SETS, default=["main"])
    run.add_argument("--ops", nargs="+", metavar="OP", help="only these operators")
    run.add_argument("--workloads", nargs="+", metavar="NAME", help="only these workloads")
    run.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    run.add_argument("--modes", nargs="+", choices=("preallocated", "fresh"), default=["preallocated", "fresh"])
    run.add_argument("--rounds", type=int, default=5)
    run.add_argument("--seconds", type=float, default=0.2, help="per package and round")
    run.add_argument(
        "--verify-only", action="store_true", help="no timing: agreement with the reference on many random RoIs"
    )
    run.add_argument("--rois", type=int, default=2000, help="RoIs per operator to verify")
    run.add_argument("--seed", type=int, default=0, help="seed of the RoIs to verify")
    render = commands.add_parser("render", help="tables and plots from results.json again")
    render.add_argument("results", type=Path, nargs="+", help="files; several are put together")
    for command in (run, render):
        command.add_argument("-o", "--output", type=Path, default=Path(".benchmarks/peers"))
        command.add_argument("--no-plots", action="store_true")
        command.add_argument(
            "--statistic",
            choices=("median", "min"),
            default="median",
            help="of the calls, for the tables; min where others use the machine",
        )
    return top


def chosen_cases(options) -> list:
    cases = [case for name in options.sets for case in SETS[name]]
    cases = [
        case
        for case in cases
        if (not options.ops or case.op in options.ops) and (not options.workloads or case.workload in options.workloads)
    ]
    if not cases:
        raise SystemExit("no case matches --sets, --ops and --workloads")
    return cases


def write(data: dict, folder: Path, with_plots: bool, statistic: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(data, indent=1) + "\n")
    (folder / "results.md").write_text(report.markdown(data, statistic))
    files = ["results.json", "results.md"]
    if with_plots and data.get("results"):
        files += [path.name for path in report.plots(data, folder)]
    print(f"written to {folder}: {', '.join(files)}")


def measure(options) -> dict:
    peers = options.peers
    if peers is None:
        peers = [name for name in environments.PACKAGES if environments.ready(name)]
    names = list(dict.fromkeys(["fastroi", *peers, "first_touch"]))
    cases = chosen_cases(options)
    if options.verify_only:
        return session.verify(cases, names, rois=options.rois, seed=options.seed)
    return session.run(
        cases, names, threads=options.threads, modes=options.modes, rounds=options.rounds, seconds=options.seconds
    )


def merge(paths: list[Path]) -> dict:
    """Put several sessions of one machine together; later records follow earlier ones."""
    merged: dict = {}
    for path in paths:
        data = json.loads(path.read_text())
        if merged and merged["machine"]["cpu"] != data["machine"]["cpu"]:
            raise SystemExit(f"{path} was measured on another machine")
        merged.setdefault("machine", data["machine"])
        merged.setdefault("packages", {}).update(data["packages"])
        for key in ("results", "agreement"):
            if key in data:
                merged.setdefault(key, []).extend(data[key])
    return merged


def main(arguments=None) -> int:
    options = parser().parse_args(arguments)
    if options.command == "setup":
        for name in options.peers or environments.DEFAULT:
            if name not in environments.PACKAGES:
                raise SystemExit(f"unknown peer {name!r}; known: {', '.join(environments.PACKAGES)}")
            print(f"{name}: {environments.interpreter(name)}", flush=True)
            environments.create(name)
    elif options.command == "python":
        print(environments.interpreter(options.peer))
        return 0 if environments.ready(options.peer) else 1
    elif options.command == "run":
        write(measure(options), options.output, not options.no_plots, options.statistic)
    else:
        write(merge(options.results), options.output, not options.no_plots, options.statistic)
    return 0


if __name__ == "__main__":
    sys.exit(main())
