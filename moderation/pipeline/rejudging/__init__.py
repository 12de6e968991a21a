"""What was decided is looked at again, and what suddenly fires is held.

again        send revisions that were decided for screening once more
reevaluate   ask a recovered provider about what others judged in its place
rescan       look at old posts again
replay       judge stored evidence by another policy, without asking or changing anything
known_again  put old posts that a new entry of a bank matches in the queue
flood        an entry of a bank that suddenly fires asks a person
brake        a rule or a provider that suddenly fires asks a person
"""
