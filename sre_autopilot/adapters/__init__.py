"""One thin module a trainer: the environment in the interface that its library knows.

`tasks`, `connection` and `rollout` are what they share: which episodes there are, what they are
played on, and a text view of them. None of the libraries is needed for those three.
"""
