"""The command line: one thin file a command.

Results on stdout, messages on stderr; exit 0 done, 1 the answer is no, 2 wrong use.
"""

from pointsman.cli.main import main

__all__ = ["main"]
