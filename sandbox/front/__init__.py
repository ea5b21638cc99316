"""A front-end app's side of webhooks: it takes what the gateway tells, verifies it, and shows it."""

from sandbox.front.simulator import FrontSimulator

__all__ = ["FrontSimulator"]
