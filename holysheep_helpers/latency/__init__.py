"""Latency measured, and the error of the measurement stated (lesson 5)."""
