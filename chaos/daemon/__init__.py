"""The container side of chaos: a program that cuts replicas off and starves them."""
