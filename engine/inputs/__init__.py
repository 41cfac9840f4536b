"""Inputs: files, folders and lists become a stream of candidates, each with a place for its output."""
