"""Recorded episodes as a data set: rows, files of JSON lines and Parquet, and a card."""
