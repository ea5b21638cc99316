"""Translators between providers' wire formats and the order model's values. They remember nothing but keys."""
