"""Developers' commands, run from a checkout: what measures accuracy and speed. Never installed with the extension."""
