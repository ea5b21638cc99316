"""A tool for those who add a bank: writes a working adapter of an invented bank, and counts what adapters cost."""
