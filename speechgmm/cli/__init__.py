"""The command line: a table of commands that are loaded when they are asked for.

Results go to standard output, everything else to standard error. Exit status: 0 done; 1 the work failed; 2 the command
line, the configuration or a model file is wrong; 130 interrupted.
"""

from speechgmm.cli.app import app, main

__all__ = ["app", "main"]
