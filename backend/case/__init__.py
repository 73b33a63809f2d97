"""Cases: what a person has to look at, with a clock."""
