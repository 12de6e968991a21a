"""The record, which nothing changes afterwards.

record      append audit events, chained along their subject; stage what goes out
seal        link committed audit events into the global chain; verify it
checkpoint  sign the chain's head, so that nobody can write it anew
"""
