"""The environment as Gymnasium knows it, in the simulator. Importing it registers the environment.

`gymnasium.make("SREAutopilot-v0")` finds it from then on. Loads neither engine.
"""

import gymnasium

ID = "SREAutopilot-v0"
"""The version changes with the spaces, or with a rule that changes scores."""


def register() -> None:
    """Makes `ID` known to Gymnasium. Does nothing where it is known already."""
    if ID in gymnasium.registry:
        return
    gymnasium.register(
        ID,
        entry_point="sre_autopilot.simulator.gym.env:SREAutopilotEnv",
        vector_entry_point="sre_autopilot.simulator.gym.vector_env:SREAutopilotVectorEnv",
    )


register()
