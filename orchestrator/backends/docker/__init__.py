"""The mesh as containers of a Compose stack: moved by the broker, cut off and starved by chaos."""
