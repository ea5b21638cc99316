"""The real processes under load, killed at named points and at random; docs/proofs.md, section Chaos."""
