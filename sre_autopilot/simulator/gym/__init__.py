"""The environment as Gymnasium knows it, in the simulator.

`gymnasium.make("sre_autopilot.simulator.gym:SREAutopilot-v0")`, or without the module's
name once it has been imported: importing registers the environment, as is Gymnasium's custom, and
no more.
"""

import gymnasium

ID = "SREAutopilot-v0"
"""Its version changes with the spaces or with what bends scores."""


gymnasium.register(
    ID,
    entry_point="sre_autopilot.simulator.gym.env:SREAutopilotEnv",
    vector_entry_point="sre_autopilot.simulator.gym.vector_env:SREAutopilotVectorEnv",
)
