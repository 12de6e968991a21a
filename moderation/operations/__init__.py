"""Long work beside a post's way: most of it a person starts, watches and can cancel.

ledger   starts, lists, cancels; who started what is an audit event, how far it is a task result
rescan   looks at a community's old posts again
export   writes a community's decisions as CSV
tidy     every hour, takes away what nobody asks for any more
"""
