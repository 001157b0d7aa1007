"""Nouns and rules that every room shares; standard library only: no clock, no chance, no I/O."""
