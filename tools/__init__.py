"""Generators of what the documents and other committed files hold."""
