"""How fast Gatehouse is, beside what one would write instead of it.

run        the command: which measurements, in which order
measures   one measurement each
stacks     Gatehouse and the naive peer, as sets of processes that start, answer and stop
asking     how long asking an outside service takes, a process of its own
load       the load driver, a process of its own, the same for both
database   databases and Redis keys of the benchmark's own, made before and removed after
prefill    a community that has posted for years
report     table, JSON and plot
"""
