"""Where commands print: results on standard output, everything else on standard error."""

import json
import os
import sys
from typing import Any

from rich.console import Console

PIPE_WIDTH = 200
"""Columns on a pipe or in a file, where no terminal sets a limit."""


def results_console() -> Console:
    """Standard output: tables and summaries. COLUMNS sets its width, also on a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else _on_a_pipe(sys.stdout)


def messages_console() -> Console:
    """Standard error: progress, live screens, what was kept where."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else _on_a_pipe(sys.stderr)


def _on_a_pipe(stream: Any) -> Console:
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdigit() and int(columns) else PIPE_WIDTH
    return Console(file=stream, highlight=False, width=width)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
