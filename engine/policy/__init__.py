"""Decisions as pure functions: numbers in, numbers out. No clock, no network, no randomness of their own."""
