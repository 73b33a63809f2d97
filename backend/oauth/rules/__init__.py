"""The authorization server as pure functions: every check cites its section, nothing does IO."""
