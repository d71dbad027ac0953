"""`sre-autopilot dev generate`: writes the files that are derived from the vocabulary."""

import time

from sre_autopilot.cli.output import messages_console


def command() -> None:
    """Write docker-compose.yml, Prometheus' and Grafana's files, and parts of the documents anew,
    and the tutorial as a notebook.

    Needs a checkout. Tests fail where one of these files is stale.

    Example:
      sre-autopilot dev generate && git diff
    """
    from deploy import compose, prometheus_config, viewers
    from tools import documents, notebook

    console = messages_console()
    for name, write in (
        ("docker-compose.yml", compose.main),
        ("observability/", prometheus_config.main),
        ("observability/grafana/", viewers.main),
        ("the documents", documents.main),
        ("docs/tutorial.ipynb", notebook.main),
    ):
        began = time.monotonic()
        with console.status(f"writing {name}"):
            write()
        console.print(f"wrote {name} in {time.monotonic() - began:.1f} s")
