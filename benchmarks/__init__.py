"""What the mesh, the server and the simulator cost on this machine."""
