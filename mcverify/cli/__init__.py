"""The command line: arguments to calls. Only click is imported until a command runs."""

from __future__ import annotations

import click

from mcverify import __version__
from mcverify.cli.commands_list import list_names, show
from mcverify.cli.commands_network import predict, simulate
from mcverify.cli.commands_report import report
from mcverify.cli.commands_run import check, verify
from mcverify.cli.shell import Shell


@click.group(cls=Shell, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mcverify")
def main() -> None:
    """Decide whether statements about random neural networks are true.

    \b
    Exit codes: 0 every verdict as expected; 1 some verdict is the opposite;
    2 wrong usage or file; 3 nothing contradicted, something undecided;
    4 internal error; 130, 143 interrupted (the command to resume is printed).
    """


for command in (verify, check, predict, simulate, list_names, show, report):
    main.add_command(command)
