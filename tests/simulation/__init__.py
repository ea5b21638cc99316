"""The whole gateway under seeded weather: one integer decides what apps, payers, providers, network and power do."""
