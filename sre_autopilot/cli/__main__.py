"""`python -m sre_autopilot.cli`, the same as the installed command `sre-autopilot`."""

from sre_autopilot.cli.app import main

if __name__ == "__main__":
    main()
