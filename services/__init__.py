"""The system under test: seven small services and their users."""
