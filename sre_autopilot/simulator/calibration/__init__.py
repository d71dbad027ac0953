"""Recordings of real episodes, and the fit of the simulator to them."""
