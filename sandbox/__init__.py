"""
Simulators of the payment providers, so that the gateway can be tried and tested without a merchant account.

This package imports nothing of the gateway, its adapters or its schemas: it signs, checks and counts with its own code,
so that a misreading of a provider's rules on one side is not repeated on the other.
"""
