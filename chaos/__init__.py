"""What breaks the mesh: pure faults, and the controller that holds their impairments in place."""
