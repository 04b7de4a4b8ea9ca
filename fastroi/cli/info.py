"""``fastroi info``: what this installation can do."""

from __future__ import annotations

HELP = "version, compiler, instruction sets, threads"
DESCRIPTION = "Show what this installation of fastroi was built with and what it uses here."


def add_arguments(parser):
    """Add the arguments of this command."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments):
    """Print the facts of `facts`."""
    found = facts()
    if arguments.json:
        import json

        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<24}{_text(value)}")


def facts() -> dict:
    """Collect version, build, machine and the elements of maps as strings, numbers, booleans and lists of strings."""
    import platform

    import numpy

    import fastroi
    from fastroi import _core, simd

    build = _core.build_info()
    return {
        "fastroi": fastroi.__version__,
        "python": platform.python_version(),
        "numpy": numpy.__version__,
        "compiler": build["compiler"],
        "abi_version": build["abi_version"],
        "simd_compiled": list(simd.compiled()),
        "simd_supported": list(simd.supported()),
        "simd_active": simd.active(),
        "elements": list(_core.elements()),
        "openmp": bool(build["openmp"]),
        "threads": fastroi.get_num_threads(),
    }


def _text(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, list) else str(value)
