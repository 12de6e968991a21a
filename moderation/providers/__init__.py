"""Whom we ask.

base       what every provider looks like: batch in, one answer a part out
own        our own judges, on this machine
adapters   one file a service
shared     what several adapters need
catalogue  every adapter, by name
registry   who can be asked here: our own judges, and the services that an operator has set up
"""
