"""The compiled engine: the only place that knows the compiler's inside."""
