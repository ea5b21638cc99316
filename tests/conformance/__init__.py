"""
One suite for every adapter: what a translator between a provider and the order model must hold, whatever the provider.

`case.py` is what an adapter tells about itself, `checks/` is what must hold, `test_*.py` runs it over every registered
adapter and over the toy, `test_suite_catches.py` proves with broken toys that the checks catch what they are for.
"""
