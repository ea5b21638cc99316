"""The simulator of the Agricultural Bank (农业银行), TrustPay V3."""

from sandbox.bank_abchina.simulator import BankAbchinaSimulator

__all__ = ["BankAbchinaSimulator"]
