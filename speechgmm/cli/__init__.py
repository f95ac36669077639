"""The command line: thin wrappers that import what they need when they run.

Results go to standard output, everything else to standard error. Exit status: 0 done; 1 the work failed; 2 the command
line, the configuration or a model file is wrong; 130 interrupted.
"""
# ruff: noqa: F401, I001 - modules add their commands, in the order of --help

from speechgmm.cli.app import app, main
from speechgmm.cli import experiment_commands
from speechgmm.cli import model_commands
from speechgmm.cli import grouping_commands
from speechgmm.cli import file_commands

__all__ = ["app", "main"]
