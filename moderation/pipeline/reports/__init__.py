"""Readers report a post, and anybody gives notice of illegal content.

report     a reader reports a post: it waits for a person, or a decision answers it
notice     anybody gives notice of illegal content
reporters  who reports: trusted, warned, muted
mail       what whoever reported is told by mail
"""
