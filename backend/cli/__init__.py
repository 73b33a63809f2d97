"""The command line, one module a subject. `backend.__main__.COMMANDS` names every command."""
