"""The table of operators of ``fastroi pool --op``: a new operator is a new row."""

from __future__ import annotations

from dataclasses import dataclass

from fastroi import ROI_POOL_RULES

from ._errors import UsageError


@dataclass(frozen=True)
class Operator:
    """A function of fastroi and the keyword options it takes from the command line."""

    function: str
    options: tuple[str, ...]


OPERATORS = {
    "roi_pool": Operator("roi_pool", ("rule", "reduce")),
}

# What argparse is told of each option; one that several operators share stands here once.
_OPTIONS = {
    "rule": dict(
        choices=ROI_POOL_RULES,
        metavar="RULE",
        help=f"{', '.join(ROI_POOL_RULES)} (default: fast_rcnn)",
    ),
    "reduce": dict(choices=("max", "mean"), help="over the cells of a bin (default: max)"),
}


def add_operator(parser):
    """Add --op and the options of all operators."""
    parser.add_argument(
        "--op", choices=tuple(OPERATORS), default="roi_pool", help="operator (default: roi_pool)"
    )
    groups = {}
    for name, options in _OPTIONS.items():
        users = ", ".join(op for op, operator in OPERATORS.items() if name in operator.options)
        group = groups.get(users) or parser.add_argument_group(f"options of {users}")
        groups[users] = group
        group.add_argument(f"--{name.replace('_', '-')}", default=None, **options)


def chosen(arguments):
    """Return the chosen function of fastroi and its keyword arguments.

    Raises
    ------
    UsageError
        An option was given that the operator does not have.
    """
    import fastroi

    operator = OPERATORS[arguments.op]
    given = {name: getattr(arguments, name) for name in _OPTIONS}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in operator.options:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"argument {option}: {arguments.op} has no such option")
    return getattr(fastroi, operator.function), given
