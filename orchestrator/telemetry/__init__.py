"""Turns what services export into a window: scrape, spans, window."""
