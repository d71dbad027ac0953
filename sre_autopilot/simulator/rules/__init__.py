"""The rules of the world over arrays of lanes: written once, run by both engines."""
