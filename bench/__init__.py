"""
Throughput and cost of the gateway as ratios, each beside a floor built here and run in the same minute.

Nothing here is a test: no figure fails a build. See docs/performance.md.
"""
