"""Which days are working days, as the State Council announced; time limits run in them."""
