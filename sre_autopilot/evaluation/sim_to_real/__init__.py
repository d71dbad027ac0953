"""How far the simulator is from a real mesh, in words, numbers and pictures."""
