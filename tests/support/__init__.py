"""Fakes, builders and checks that several test rooms share."""
