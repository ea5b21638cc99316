"""Random histories of orders and refunds against an independent account of where the money is."""
