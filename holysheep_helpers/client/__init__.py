"""The gateway, its budget, and calls with one reply (lessons 0 to 3)."""
