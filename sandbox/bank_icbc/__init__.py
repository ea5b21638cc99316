"""The simulator of 工商银行 (ICBC): the API open platform's aggregated cashier, with the bank's own signatures."""

from sandbox.bank_icbc.simulator import BankIcbcSimulator

__all__ = ["BankIcbcSimulator"]
