"""The access ledger: every look at a citizen, written before it happens and never changed."""
