"""The mesh as containers of a Compose stack: moved by the fleet, cut off and starved by chaos."""
