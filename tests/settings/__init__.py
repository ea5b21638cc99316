"""The configuration file: what is read from it, and every way in which it can be wrong."""
