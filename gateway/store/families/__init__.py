"""Rows beside the order model, one module a family: its tables, row maps, selects, and reads and writes over a Tx."""
