"""Observations as rows of numbers, and what a memory of them adds: the input of learned policies.

The same numbers from a lane of the simulator and from an `SREObservation` of any mesh.
"""
