"""The simulator of 建设银行 (CCB): cashier and aggregate QR, its client program for queries and refunds, its notify."""

from sandbox.bank_ccb.simulator import BankCcbSimulator

__all__ = ["BankCcbSimulator"]
