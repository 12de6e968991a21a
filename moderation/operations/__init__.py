"""Long work that a person starts and watches: it is recorded, has a progress, can be cancelled.

ledger   starts, lists, cancels; who started what is an audit event, how far it is a task result
rescan   looks at a community's old posts again
export   writes a community's decisions as CSV
"""
