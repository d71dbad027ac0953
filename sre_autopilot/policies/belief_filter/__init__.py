"""What the policy `belief` weighs: leaks of memory and of connections, and flaps."""
