"""Who may call what: principals, scopes and guards. What api files import to say it."""
