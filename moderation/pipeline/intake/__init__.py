"""A post comes in, or another text of one: accepted once, and answered at once.

submit        check, store post, submission and audit event in one transaction
draft         what was sent, and whether it can become a post at all
idempotency   a client's key for a call, and the answer that it got
group_commit  how single submits share one transaction
edit          another text of a post, which makes another revision
revision      what a revision holds, to be judged before it is trusted
"""
