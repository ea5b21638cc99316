"""Whole journeys on a virtual clock: the real gateway against the real simulators, without sockets or sleeping."""
