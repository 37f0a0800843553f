"""``sparksweep COMMAND``: one file a command, and ``main``, which turns every end into an exit code.

Exit codes: 0 done; 1 failed; 2 bad usage or config; 3 finished with failed fits; 130 interrupted.
"""

from sparksweep.cli.main import main

__all__ = ["main"]
