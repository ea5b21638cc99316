"""A bank whose own app collects premiums: a client of the gateway, by BBP/1 and by the Agricultural Bank's EBPP."""

from sandbox.bank_biller.simulator import BankBillerSimulator

__all__ = ["BankBillerSimulator"]
