"""Tests of the Alipay adapter."""
