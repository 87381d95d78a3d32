"""Modules of the scripts above: no commands of their own."""
