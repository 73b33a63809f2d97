"""What a programme is and what it says about one citizen.

`fact` is the vocabulary rules are written in, `rule` the monotone algebra, `benefit` what is
granted beyond the baseline, `document` the data file and its proof, `offer` what a citizen sees
and does, `eligibility` what a partner learns.
"""
