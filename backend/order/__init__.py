"""Service orders: a benefit used at a partner, from its opening to its end, and what is owed."""
