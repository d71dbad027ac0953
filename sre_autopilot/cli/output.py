"""Where commands print: results on standard output, everything else on standard error."""

import json
import os
import sys
from typing import Any

from rich.console import Console

PIPE_WIDTH = 200
"""Columns of a table on a pipe or in a file, where no terminal sets a limit."""
TEXT_WIDTH = 80
"""The same, of sentences."""


def results_console(pipe_width: int = PIPE_WIDTH) -> Console:
    """Standard output: tables and summaries. COLUMNS sets its width, also on a pipe.

    pipe_width: columns on a pipe or in a file otherwise.
    """
    console = Console(highlight=False)
    return console if console.is_terminal else _on_a_pipe(sys.stdout, pipe_width)


def messages_console() -> Console:
    """Standard error: progress, live screens, what was kept where."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else _on_a_pipe(sys.stderr, PIPE_WIDTH)


def _on_a_pipe(stream: Any, pipe_width: int) -> Console:
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdigit() and int(columns) else pipe_width
    return Console(file=stream, highlight=False, width=width)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
