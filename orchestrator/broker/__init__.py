"""The broker: a program of its own, and the only holder of the engine's socket."""
