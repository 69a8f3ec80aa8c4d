"""The command line: the commands run and plugins, and those that plugins register."""
