"""Values and rules of the order model: pure, without I/O, importable by every other room."""
