"""From what services export to one window of truth: scrape, spans, window."""
