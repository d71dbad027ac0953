"""Trains the policy `learned` in the simulator: PPO over torch, of the extra `train`.

`recipe` is what a training is asked for, `experience` what is played, `actor_critic` the network,
`ppo` its update, `trainer` the loop over them; `scoring` plays unseen seeds. Only `actor_critic`,
`checkpoint`, `ppo` and `trainer` need torch.
"""
