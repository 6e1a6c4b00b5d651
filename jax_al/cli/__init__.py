"""The command line: flags, config, sentences for mistakes."""
