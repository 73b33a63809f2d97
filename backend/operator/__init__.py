"""Operators: who runs which part of the service, how they sign in, and what they did."""
