"""What would have been better in a recorded episode, and when: values, regrets, luck, postmortem.

The simulator replays the episode's seed up to any step and goes on from there in many ways. Pure
but for files that `sre-autopilot debrief` writes; it reads records, and never a running episode.
"""
