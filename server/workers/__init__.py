"""Several processes behind one port: each session is at home in one of them. Simulator only."""
