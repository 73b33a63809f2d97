"""The order room's rules: the machine, amounts, exposure and obligations."""
