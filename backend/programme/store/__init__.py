"""SQL of the programme room: `programme` has programmes, seats and enrolments, `eligibility`
the two statements of a batch of checks.
"""
