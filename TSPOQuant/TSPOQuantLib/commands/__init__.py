"""The commands, one file a group: each adds its own to the parser, and imports the rooms only when it runs."""
