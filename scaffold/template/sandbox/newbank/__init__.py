"""
The simulator of newbank.

Fact to replace: the bank's name, the product, and the version and date of its interface document (source: title page).
"""

from sandbox.newbank.simulator import NewbankSimulator

__all__ = ["NewbankSimulator"]
