"""The simulator: the same world without processes or wall-clock time, fitted to a real one."""

NAME = "simulator"
