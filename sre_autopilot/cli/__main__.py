"""`python -m sre_autopilot.cli`, the same as the installed command `sre-autopilot`."""

import sys

NOT_INSTALLED = """\
{module} is not installed in {python}. In a checkout, two commands make an environment that has it:
  python3 -m venv .venv
  .venv/bin/python -m pip install -e '.[all]'
"""


def run() -> None:
    """Runs the command line; where the project's packages are missing, says how to get them."""
    try:
        from sre_autopilot.cli.app import main
    except ModuleNotFoundError as error:
        sys.exit(NOT_INSTALLED.format(module=error.name, python=sys.executable))
    main()


if __name__ == "__main__":
    run()
