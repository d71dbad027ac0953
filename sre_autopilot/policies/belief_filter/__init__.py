"""The Bayesian filter of the policy `belief`: leaks of memory and of connections, and flaps."""
