"""The mesh: seven small services, their users, and the vocabulary that everything else reads."""
