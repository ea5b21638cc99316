"""
The simulator of the 医保个人账户共济 (shared personal account) platform, profile SA1.

Without the package gmssl-pyx everything here can be imported and nothing be started: the sandbox then runs without it.
"""
