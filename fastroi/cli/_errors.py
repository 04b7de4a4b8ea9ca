"""The one exception of the command line's own."""


class UsageError(Exception):
    """Arguments that argparse accepts one by one but that do not go together: exit code 2."""
