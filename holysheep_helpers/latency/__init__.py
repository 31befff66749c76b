"""Latency measured, and the error of the measurement stated (lessons 5 and 6)."""
