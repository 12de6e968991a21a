"""A person decides, and any decision can be taken back.

holding   a moderator takes an item under a lease, keeps it, gives it back
review    decides it with a reason, or puts it before a lead
noting    notes beside a post, for moderators alone
cluster   several items decided as one, each by its own decision, and taken back as one
undo      a moderator takes a decision back before anybody outside has heard of it
reversal  any enforcement, a machine's or a person's, can be undone at any later time
reported  the item in which reports wait, and the answer that each gets
"""
