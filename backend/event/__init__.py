"""Outbox: what must follow from a change, written with it and carried out afterwards."""
