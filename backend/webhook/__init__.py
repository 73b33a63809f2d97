"""Webhooks: partners are told, signed and in order, at addresses that are theirs."""
