"""Exact money, and what calls cost."""
